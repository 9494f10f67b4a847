# SPDX-License-Identifier: GPL-3.0-or-later
"""Symbols that stand for a place, not for what is there; and how much the others take up.

kallsyms has no sizes. gdb and drgn name an address after the symbol whose size reaches that far:
one that is too large would name what lies behind it, up to the next symbol.
"""

from __future__ import annotations

#: Marks of linker scripts (include/asm-generic/vmlinux.lds.h), and of assembler code.
_STARTS = ("__start_", "__stop_", "__end_", "__begin_", "__initcall_", "__BTF_ID_", "__brk_")
_ENDS = (
    *("_start", "_stop", "_end", "_begin", "_btf_id", "_btf_ids"),
    *("_after_hwframe", "_safe_stack", "_unsafe_stack"),
)
_OTHERS = frozenset(
    (
        *("_text", "_stext", "_etext", "_sdata", "_edata", "_sinittext", "_einittext", "_end"),
        *("init_stack", "init_thread_union", "__per_cpu_load"),
    )
)
#: Gaps up to this are taken for a variable's own; in a larger one lie data without names, and so
#: much is the variable's.
MOST_GAP, LITTLE = 4096, 64


def is_mark(name: str) -> bool:
    """Whether a symbol of that name has neither type nor size where it is linked."""
    return name.startswith(_STARTS) or name.endswith(_ENDS) or name in _OTHERS
