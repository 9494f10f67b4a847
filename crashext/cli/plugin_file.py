# SPDX-License-Identifier: GPL-3.0-or-later
"""The crash extension that was installed along, or why there is none."""

from __future__ import annotations

import re
from pathlib import Path

_PACKAGE = Path(__file__).parent.parent
#: Part of what bridge/qemufix.c says to another crash.
_BUILT_FOR = re.compile(rb"qemufix\.so was built for crash ([\w.+~-]+)")


def plugin_text(package: Path = _PACKAGE) -> str:
    """Where the extension is, for `extend`, and which crash it was built for; or why not.

    What the installation left out it noted in a file (setup.py), since pip shows nobody
    what a build says.
    """
    path, left_out = package / "qemufix.so", package / "plugin-left-out"
    if path.exists():
        built_for = _BUILT_FOR.search(path.read_bytes())
        version = f", for crash {built_for[1].decode()}" if built_for else ""
        return f"crash extension: {path}{version}"
    if left_out.exists():
        return f"crash extension: left out: {left_out.read_text(encoding='utf-8').strip()}"
    return "crash extension: not built: run make"
