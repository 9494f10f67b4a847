# SPDX-License-Identifier: GPL-3.0-or-later
"""ppc64le: notes that QEMU wrote big-endian, turned round.

It takes the order of a register that the hypervisor has set, not the guest
(ppc_interrupts_little_endian). What the notes consist of: target/ppc/arch_dump.c.
"""

from __future__ import annotations

from ...dumps.base import Note

#: By n_type, the runs of numbers in a descriptor: how many, of how many bytes.
_NUMBERS = {
    1: ((3, 4), (2, 2), (2, 8), (4, 4), (8, 8), (48, 8), (2, 4)),  # NT_PRSTATUS
    2: ((33, 8),),  # NT_PRFPREG
    0x100: ((34, 16),),  # NT_PPC_VMX
    0x101: ((32, 4), (1, 8), (1, 4)),  # NT_PPC_SPE
    0x102: ((32, 8),),  # NT_PPC_VSX
}


def turned(note: Note) -> Note:
    """The note in the other byte order; one that is not known stays as it is."""
    runs = _NUMBERS.get(note.type) if note.name in ("CORE", "LINUX") else None
    if runs is None or sum(count * width for count, width in runs) != len(note.desc):
        return note
    parts, at = [], 0
    for count, width in runs:
        for _ in range(count):
            parts.append(note.desc[at : at + width][::-1])
            at += width
    return note._replace(desc=b"".join(parts))
