# SPDX-License-Identifier: GPL-3.0-or-later
"""Symbols that stand for a place, not for what is there; and how much the others take up.

kallsyms has no sizes. gdb and drgn name an address after the symbol whose size reaches that far:
one that is too large would name what lies behind it, up to the next symbol.
"""

from __future__ import annotations

import re

#: Marks of linker scripts (include/asm-generic/vmlinux.lds.h), and of assembler code.
_MARK = re.compile(
    r"__+(start|stop|end|begin)_\w+"
    r"|\w+_(start|stop|end|begin)"
    r"|_[es]?(text|rodata|data|inittext|exittext)|_end"
    r"|__initcall\w+|__BTF_ID_\w+|\w+_btf_ids?"
    r"|init_stack|init_thread_union|__per_cpu_load"
    r"|\w+_(after_hwframe|safe_stack|unsafe_stack)"
)
#: Gaps up to this are taken for the symbol's own; behind a larger one lie data without names.
_MOST_GAP, _LITTLE = 4096, 64


def is_mark(name: str) -> bool:
    """Whether a symbol of that name has neither type nor size where it is linked."""
    return _MARK.fullmatch(name) is not None


def size_in(gap: int, *, code: bool) -> int:
    """Bytes that a symbol probably has, of which nothing is known but the ``gap`` to the next."""
    return gap if code or gap <= _MOST_GAP else _LITTLE
