# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest's memory says of itself where nothing is left to a tool's search.

The places are those of the truth file, which the guest told on its console. The number of
tasks is the kernel's own count; the log is read by drgn, told where everything is.
"""

from __future__ import annotations

import re
from pathlib import Path

import crashext
from crashext.errors import CrashExtError

from ..errors import LabError
from ..vmlinux_writer import FullVmlinux
from .case import Case, Values, ends

_LAB_MARK = "=== LAB"
_NOTE_HEADER = 12
#: Those whose page tables drgn 0.3 walks, by its names.
_DRGN_ARCHS = {"x86_64": "X86_64", "aarch64": "AARCH64", "s390x": "S390X"}


def values(case: Case, original: Path) -> Values:
    """The guest's own values, read from the dump as it was made.

    Raises:
        LabError: the memory that says so is not in it, or its console disagrees.
    """
    with crashext.open_dump(str(original)) as dump:
        try:
            log = _log(case, dump)
            tasks = _tasks(case, dump)
        except (CrashExtError, LookupError) as lacking:
            raise LabError(f"{original.name}: {lacking}") from lacking
    first, last = ends(log)
    _agree_with_console(original, log)
    return Values(case.truth["release"], tasks, first, last, case.truth["banner"])


def _tasks(case: Case, dump: crashext.Dump) -> int:
    """``nr_threads``: Linux kernel/fork.c counts every thread but the idle ones."""
    (symbol,) = FullVmlinux(case.vmlinux).symbols(["nr_threads"])
    raw = dump.read(case.paddr(symbol.value + case.kaslr_offset), 4)
    return int.from_bytes(raw, case.byte_order)


def _log(case: Case, dump: crashext.Dump) -> list[str]:
    """Its lines, by drgn, to which the truth's VMCOREINFO and this dump's memory are all.

    None of them where drgn does not know the page tables.
    """
    import drgn
    from drgn.helpers.linux.printk import get_printk_records

    if case.arch not in _DRGN_ARCHS:
        return []
    platform = drgn.Platform(getattr(drgn.Architecture, _DRGN_ARCHS[case.arch]))
    program = drgn.Program(platform)
    for start, end in dump.ram:
        program.add_memory_segment(
            start, end - start, lambda paddr, size, _offset, _physical: dump.read(paddr, size), True
        )
    program.set_linux_kernel_custom(_vmcoreinfo(case, dump), False)
    program.load_debug_info([str(case.vmlinux)])
    return [record.text.decode(errors="replace") for record in get_printk_records(program)]


def _vmcoreinfo(case: Case, dump: crashext.Dump) -> bytes:
    """The text of the note where the guest says in /sys/kernel/vmcoreinfo that it is."""
    paddr = case.truth["vmcoreinfo_paddr"]
    if paddr is None:
        raise LookupError("the guest did not tell where its VMCOREINFO is")
    at = int(paddr, 16)
    namesz, descsz = (
        int.from_bytes(dump.read(at + offset, 4), case.byte_order) for offset in (0, 4)
    )
    return dump.read(at + _NOTE_HEADER + (namesz + 3 & ~3), min(descsz, dump.page_size))


def _agree_with_console(original: Path, log: list[str]) -> None:
    """What the guest printed while it came up has to be in the log that was read."""
    console = original.with_suffix(".console")
    if not console.exists() or not log:
        return
    text = console.read_text(errors="replace").partition(_LAB_MARK)[0]
    printed = re.findall(r"^\[ *\d+\.\d+\] (.+?)\s*$", text, re.MULTILINE)
    known = {line.strip() for entry in log for line in entry.splitlines()}
    if printed and printed[-1] not in known:
        raise LabError(f"{console.name} has a line that the log lacks: {printed[-1]}")
