# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of a guest, and addresses, as the page shows them: printable ASCII whatever they were."""

from __future__ import annotations

import shlex

from ...text import printable, size_text


def shown(text: str | bytes) -> str:
    """``text`` escaped; unlike a terminal's, a page's may come with halves of surrogate pairs."""
    try:
        return printable(text)
    except UnicodeEncodeError:
        assert isinstance(text, str)
        return printable(text.encode("utf-8", "surrogatepass"))


def name(path: str) -> str:
    """A file's name, which is the user's: letters of any script stay; controls, and marks that
    turn the order of text round, do not."""
    return path if path.isprintable() else "".join(c if c.isprintable() else shown(c) for c in path)


def word(text: str) -> str:
    """``text`` for a shell, whatever the locale; what is not printable as bash's ``$'\\xNN'``."""
    if text.isprintable():
        return shlex.quote(text)
    return f"$'{shown(text.replace(chr(92), chr(92) * 2).replace(chr(39), chr(92) + chr(39)))}'"


def short(text: str | bytes, most: int) -> str:
    """Likewise, cut to ``most`` characters."""
    whole = shown(text)
    return whole if len(whole) <= most else whole[: most - 3] + "..."


def span(start: int, end: int | None) -> str:
    """``0x1000 - 0x1fff``: the first and the last byte."""
    return f"{start:#x}" if end is None or end <= start else f"{start:#x} - {end - 1:#x}"


def extent(start: int, end: int | None) -> str:
    """How large it is, in words; nothing where that isn't known."""
    return "" if end is None else size_text(max(end - start, 0))
