# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour, where who reads is a terminal and wants it: by what a line begins with."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from typing import Any, TextIO

#: What is coloured, and how click calls that.
_STYLES: tuple[tuple[str, dict[str, Any]], ...] = (
    (r"^Next:.*", {"bold": True}),
    (r"^(warning|not had):", {"fg": "yellow"}),
    (r"(?<=: )(kernel found|written by QEMU)", {"fg": "green"}),
    (r"(?<=: )no (kernel|vCPU).*", {"fg": "red"}),
    (r"^  (panic|fault|tainted)\b", {"fg": "red"}),
    (r"^  \+ ", {"fg": "green"}),
    (r"^  - ", {"fg": "red"}),
)


def painter(out: TextIO) -> Callable[[str], str]:
    """What lines go through on their way to ``out``: https://no-color.org, and ``TERM=dumb``."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"
    return _paint if wanted and out.isatty() else str


def _paint(line: str) -> str:
    """``line`` with the colours of what it says; it has no escape sequences of its own."""
    for pattern, style in _STYLES:
        line = re.sub(pattern, partial(_styled, style), line, count=1)
    return line


def _styled(style: dict[str, Any], match: re.Match[str]) -> str:
    import click

    return click.style(match.group(), **style)
