# SPDX-License-Identifier: GPL-3.0-or-later
"""Where sections lie about: in place of the linker's symbols around them that are not known.

They are no symbols: a start is a page or less too early or late, an end is where rights end, or
behind the last that is known to lie inside.
"""

from __future__ import annotations

from collections.abc import Callable

from ...arch.base import Run
from ..kernel import Kernel

_PAGE = 4096


def bounds(kernel: Kernel, vaddr: Callable[..., int | None], last: int) -> dict[str, int]:
    """By the linker's names; ``last`` is the highest address of a symbol of the image.

    Code ends at ``_etext``, read-only data follow up to where memory can be written; data are
    what can be written and is not freed after the kernel's start, up to the image's end.
    """
    text_end, freed = vaddr("_etext"), vaddr("__init_begin", "_sinittext")
    found: dict[str, int] = {}
    if kernel.start is not None:
        found["_text"] = kernel.start
    found["_end"] = vaddr("_end") or -(-(last + 1) // _PAGE) * _PAGE
    if text_end is None:
        return found
    constant = [run for run in kernel.runs if not run.writable and run.end > text_end]
    # Where code and constants have equal rights, they are in one run.
    constant.sort(key=lambda run: run.executable)
    if constant:
        start = max(text_end, constant[0].vaddr)
        found.update({"__start_rodata": start, "__end_rodata": constant[0].end})
    data = _data_start(kernel, vaddr, text_end, freed)
    if data is not None:
        end = vaddr("_edata", "__bss_start") or found["_end"]
        found.update({"_sdata": data, "_edata": end, "__init_end": data})
        found.update({"__bss_start": end, "__bss_stop": found["_end"]})
    return found


def _data_start(
    kernel: Kernel, vaddr: Callable[..., int | None], text_end: int, freed: int | None
) -> int | None:
    """The first byte that can be written and is no part of what the kernel freed."""
    said = vaddr("_sdata", "_data", "__init_end")
    if said is not None:
        return said
    after = (run for run in kernel.runs if run.writable and run.vaddr >= text_end)
    first: Run | None = next(after, None)
    if first is None or freed is None or not first.vaddr <= freed < first.end:
        return None if first is None else first.vaddr
    # It is freed in the midst of the run: what comes first may be data, or freed.
    return first.vaddr if freed > first.vaddr else vaddr("init_task")
