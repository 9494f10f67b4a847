# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures in pixels, and files as they are written."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ...errors import CrashExtError
from ...repair.write.beside import beside, permit_as


def png(svg: bytes, scale: float = 2.0) -> bytes:
    """A picture in pixels.

    Raises:
        CrashExtError: the system lacks the cairo library.
    """
    try:
        import cairosvg
    except OSError:
        raise CrashExtError("--png needs the cairo library: install libcairo2") from None
    return bytes(cairosvg.svg2png(bytestring=svg, scale=scale))


def write(path: str, parts: Iterable[bytes], like: str) -> int:
    """Put a whole file there, or none; who may read the file ``like`` may read it.

    Returns its size.

    Raises:
        OSError: the system can't.
    """
    with beside(Path(path)) as fd:
        permit_as(fd, like)
        with os.fdopen(os.dup(fd), "wb") as file:
            return sum(map(file.write, parts))
