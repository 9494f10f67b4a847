# SPDX-License-Identifier: GPL-3.0-or-later
"""Ubuntu's packages, where the user says: ``UBUNTU_MIRROR``, a URL. Nobody else's are asked.

Its index is believed by the archive's key: that of the package ubuntu-keyring, which Debian has
since 13, or the file that ``UBUNTU_KEYRING`` names.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from .errors import Unavailable
from .packages import CACHE, Apt, own_apt
from .target import Which

_KEYRING = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"
#: 24.04 and 26.04: Linux 6.8 and 7.0.
SERIES: dict[Which, str] = {"ubuntu": "noble", "ubuntu-newer": "resolute"}


@cache
def ubuntu(which: Which, debian: str, directory: Path = CACHE / "apt") -> Apt:
    """The apt of the series that has a kernel of :data:`SERIES`.

    Raises:
        Unavailable: no mirror is named, or there is no key to check it with.
    """
    mirror, keyring = os.environ.get("UBUNTU_MIRROR"), os.environ.get("UBUNTU_KEYRING", _KEYRING)
    if not mirror:
        raise Unavailable("UBUNTU_MIRROR names no mirror of Ubuntu's archive")
    if not Path(keyring).is_file():
        raise Unavailable(f"{keyring} is missing, with the key of Ubuntu's archive")
    series = SERIES[which]
    lines = "".join(
        f"deb [arch={debian} signed-by={keyring}] {mirror} {suite} main\n"
        for suite in (series, f"{series}-updates")
    )
    return own_apt(directory / f"{debian}-{series}", debian, lines)
