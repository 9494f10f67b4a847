# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of page kinds: one square for each cell, row by row from the lowest address."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from ...dumps.tally import Tally
from ...text import size_text
from . import svg
from .kinds import COLUMNS, ROWS, Cell, KindMap

SHADES = 8
_SIDE, _LEFT = 9, 104
_WIDTH, _HEIGHT = _LEFT + COLUMNS * _SIDE, ROWS * _SIDE + 4
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def kind_map(kinds: KindMap) -> ET.Element:
    """The picture; ``data-cells`` has the cells' shares for the page's script, see :func:`code`."""
    each = size_text(max(kinds.cells[0].end - kinds.cells[0].start, 0))
    about = (
        f"{len(kinds.cells)} squares, about {each} each, from {kinds.cells[0].start:#x} to "
        f"{kinds.cells[-1].end:#x}, row by row. The table of kinds has the totals."
    )
    root = svg.picture(_WIDTH, _HEIGHT, "kinds", "Kinds of pages", about)
    outlines: dict[str, list[str]] = {}
    for number, cell in enumerate(kinds.cells):
        row, column = divmod(number, COLUMNS)
        place = f"M{_LEFT + column * _SIDE} {row * _SIDE}h8v8h-8z"
        outlines.setdefault(css_of(cell.tally, kinds.page_size), []).append(place)
    for css, places in sorted(outlines.items()):
        svg.path(root, "".join(places), css)
    for row in range(0, ROWS, 4):
        start = kinds.cells[row * COLUMNS].start
        svg.text(root, _LEFT - 8, row * _SIDE + 8.5, f"{start:#x}", "address", text_anchor="end")
    svg.rect(root, (0, 0, 10, 10), "cursor", visibility="hidden")
    root.set("data-cells", "".join(code(cell, kinds.page_size) for cell in kinds.cells))
    root.set("data-starts", " ".join(f"{cell.start:x}" for cell in kinds.cells))
    return root


def css_of(tally: Tally, page_size: int) -> str:
    """How a cell is coloured: by what most of it is, and what is stored by how far it packs."""
    if not tally.pages:
        return "none"
    if not tally.seen:
        return "unseen"
    if tally.missing * 2 > tally.seen:
        return "missing"
    if not tally.stored:
        return "zero"
    # Zeros count as packed to nothing: a cell with a few pages in use is a pale one.
    share = tally.packed / ((tally.seen - tally.missing) * page_size)
    return f"shade{min(int(share * SHADES), SHADES - 1)}"


def code(cell: Cell, page_size: int) -> str:
    """Three characters: shares of zeros, of what is missing, of its size that the rest packs to.

    In 35ths; ``...`` where there is no RAM, ``???`` where nothing was looked at.
    """
    tally = cell.tally
    if not tally.pages:
        return "..."
    if not tally.seen:
        return "???"
    packed = tally.packed / (tally.stored * page_size) if tally.stored else 0.0
    shares = (tally.zero / tally.seen, tally.missing / tally.seen, packed)
    return "".join(_DIGITS[min(max(round(share * 35), 0), 35)] for share in shares)
