# SPDX-License-Identifier: GPL-3.0-or-later
"""``init_mm``, in which the kernel keeps where its own parts lie (setup_initial_init_mm())."""

from __future__ import annotations

from .memory import Structures

_MOST = 64  # places that hold the address of the top-level table


def own_space(structures: Structures) -> dict[str, int]:
    """``init_mm``, ``_edata`` and the symbol that its ``brk`` starts as, if any is.

    It is known by the top-level table of the kernel, and borne out by the code's bounds, which
    kallsyms has. Nothing where that does not hold, or for several.
    """
    vaddr, arch = structures.vaddr, structures.kernel.arch
    table, text_end = vaddr(*arch.top_tables), vaddr("_etext")
    texts = {vaddr("_text"), vaddr("_stext")} - {None}
    at = structures.offset("mm_struct", "pgd")
    if table is None or at is None or text_end is None or not texts:
        return {}
    found = []
    for number, place in enumerate(structures.holders(table)):
        start, end = (
            structures.member(place - at, "mm_struct", f"{e}_code") for e in ("start", "end")
        )
        if start in texts and end == text_end:
            found.append(place - at)
        if number == _MOST:
            return {}
    if len(found) != 1:
        return {}
    space = {"init_mm": found[0]}
    data_end = structures.member(found[0], "mm_struct", "end_data")
    image_end = structures.member(found[0], "mm_struct", "brk")
    if data_end and image_end and text_end < data_end <= image_end:
        space["_edata"] = data_end
        if arch.first_break:
            space[arch.first_break] = image_end
    return space
