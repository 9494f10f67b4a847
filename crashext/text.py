# SPDX-License-Identifier: GPL-3.0-or-later
"""Making text from a dump, and numbers, fit to be shown."""

from __future__ import annotations

import os
import shlex

_MASK64 = (1 << 64) - 1


def printable(text: str | bytes) -> str:
    """Return ``text`` with control and non-ASCII characters escaped as ``\\xNN``.

    A guest controls its memory: an escape sequence in a banner must not reach
    the user's terminal.
    """
    if isinstance(text, str):
        text = b"".join(map(_bytes_of, text)) if not text.isascii() else text.encode()
    return "".join(chr(b) if 0x20 <= b < 0x7F else f"\\x{b:02x}" for b in text)


def _bytes_of(character: str) -> bytes:
    """In UTF-8; a byte that was no UTF-8 as itself, half of a character as UTF-8 would have it."""
    try:
        return character.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return character.encode("utf-8", "surrogatepass")


def shown(text: str) -> str:
    """Likewise, but in a UTF-8 locale file names are shown as they are.

    Only characters that print: no controls, no marks that turn the order of text round.
    """
    if text.isascii() or not _speaks_utf8():
        return printable(text)
    return "".join(c if c.isprintable() and not c.isascii() else printable(c) for c in text)


def _speaks_utf8() -> bool:
    """Whether the user's locale is one of UTF-8: the first of these that is set says so."""
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    return next(filter(None, names), "").lower().replace("-", "").endswith("utf8")


def shell_word(text: str) -> str:
    """``text`` quoted for a shell; what is not printable as bash's ``$'\\xNN'``."""
    if shown(text) == text:
        return shlex.quote(text)
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{printable(escaped)}'"


def hex64(value: int) -> str:
    """Lower-case hex with 0x; a negative value as 64-bit two's complement."""
    return f"{value & _MASK64:#x}"


def signed64(value: int) -> int:
    """The signed reading of a 64-bit two's complement number."""
    value &= _MASK64
    return value - (1 << 64) if value >> 63 else value


def size_text(size: int) -> str:
    """A byte count for people: ``512 MiB``, ``1.5 GiB``."""
    for unit, shift in (("PiB", 50), ("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >> shift:
            return f"{size / (1 << shift):.4g} {unit}"
    return f"{size} bytes"


def counted(number: int, one: str, several: str | None = None) -> str:
    """``1 vCPU``, ``2 vCPUs``."""
    return f"{number} {one if number == 1 else several or one + 's'}"
