# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMCOREINFO note of the dump: cheap, and true unless it is of another kernel.

QEMU copies the note from wherever the guest's firmware-config driver said (QEMU
hw/misc/vmcoreinfo.c); after a kexec or a reset it may describe the previous kernel.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..arch.x86_64 import PMD_SIZE
from ..text import printable
from ..vmcoreinfo import Vmcoreinfo, parse
from .candidate import Candidate, is_kaslr_offset, is_phys_base
from .context import Context

SOURCE = "vmcoreinfo-note"


def propose(context: Context) -> Iterator[Candidate]:
    """The candidate that the note states, if there is one and it states any."""
    if context.dump.vmcoreinfo is not None:
        candidate = from_text(parse(context.dump.vmcoreinfo), SOURCE, "note", context.ram_end)
        if candidate is not None:
            yield candidate


def from_text(info: Vmcoreinfo, source: str, where: str, ram_end: int) -> Candidate | None:
    """What a VMCOREINFO text says; None where its numbers can't be true.

    NUMBER(phys_base) is decimal and signed (kernel 4.10 and later), KERNELOFFSET hex.
    """
    phys_base, offset = info.number("phys_base"), info.kernel_offset
    if phys_base is None or not is_phys_base(phys_base, ram_end):
        return None
    if offset is not None and not is_kaslr_offset(offset):
        return None
    stext = info.symbols.get("_stext")
    return Candidate(
        source,
        phys_base,
        offset,
        f"VMCOREINFO ({where}) of {printable(info.osrelease or 'unknown release')}",
        text_vaddr=None if stext is None else stext & ~(PMD_SIZE - 1),
        info=info,
    )
