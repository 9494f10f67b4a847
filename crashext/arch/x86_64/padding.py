# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies between two functions: NOPs of the assembler's alignment, INT3 of the linker's.

Sources: the long NOPs of Intel's manual, as gas writes them; ``:text =0xcccccccc`` of
arch/x86/kernel/vmlinux.lds.S. A function ends in a jump, a return, a call that does not come back
or UD2, and perhaps one INT3 of its own (CONFIG_SLS).
"""

from __future__ import annotations

import re

#: More than any alignment leaves.
_MOST = 80
_LONG = rb"(?:\x00|\x00\x40|\x00\x00\x44|\x00{4}\x80|\x00{5}\x84)\x1f\x0f\x2e?\x66{0,12}"
_ENDS = rb"(?:\xc3|.{4}[\xe8\xe9]|.\xeb|[\xe0-\xe7]\xff|\x0b\x0f|.{4}[\x80-\x8f]\x0f)"
#: Backwards, so that it is matched from where it ends.
_PADDING = re.compile(
    # A jump to a return thunk becomes RET and four INT3 at boot (apply_returns, alternative.c).
    rb"(?!\xcc{4}\xc3)(?:"
    rb"\xcc*(?:" + _LONG + rb"|\x90\x66?)+(?=\xcc{0,4}" + _ENDS + rb")"
    rb"|\xcc+(?=\xcc{4}\xc3)"
    rb"|\xcc+(?=\xcc?" + _ENDS + rb"))",
    re.DOTALL,
)


def padding(code: bytes) -> int:
    """Bytes at the end of ``code``, which reaches up to the next function, that are padding."""
    found = _PADDING.match(code[: -_MOST - 1 : -1])
    return found.end() if found else 0
