# SPDX-License-Identifier: GPL-3.0-or-later
"""What a right dump of the guest would say, learned from the kernel that was found."""

from __future__ import annotations

from typing import NamedTuple

from .. import __version__
from ..arch import notes_of
from ..arch.base import Architecture
from ..detect import detect
from ..dumps.base import Dump, Note
from ..errors import NotCertain
from ..kernel.kernel import Kernel
from ..kernel.uname import find_uname
from ..locate.result import Location
from ..notes import NT_PRSTATUS, REPAIR_NOTE, repair_facts
from ..vmcoreinfo import parse
from .change import Change
from .headers import NO_UTSNAME, VMCOREINFO, Headers, Mapping
from .vmcoreinfo import Text, verified_text

_WHY = {
    "memory": "QEMU could not know it: found in the guest's memory, it fits the kernel found",
    "completed": "found in the guest's memory; lines that tools need are completed",
    "composed": "the kernel had not written one yet: composed of what is known",
}
#: Least bytes that a kernel's image has, where nothing tells its end.
_LEAST_IMAGE = 8 << 20
_ALL_PAGES = 1  # dump_level of a kdump that lacks none but zeros


class Facts(NamedTuple):
    """The headers of a right dump, and what of its VMCOREINFO the dump lacks."""

    headers: Headers
    changes: tuple[Change, ...]


def facts_of(kernel: Kernel) -> Facts:
    """What is known of the guest whose kernel was found.

    Raises:
        NotCertain: too little is known to tell tools where the kernel is.
    """
    dump, location = kernel.dump, kernel.location
    if location.kaslr_offset is None:
        raise NotCertain("nothing in the dump tells the KASLR offset surely: give the vmlinux")
    text = verified_text(kernel)
    found = find_uname(kernel)
    crashed = parse(text.text).integer("CRASHTIME")
    notes = _notes(dump, kernel.arch, text, mark=_mark(dump, text))
    phys_base = kernel.dumped_phys_base
    headers = Headers(
        arch=location.arch,
        byte_order=kernel.arch.byte_order,
        bits=kernel.arch.word * 8,
        notes=notes,
        phys_base=phys_base,
        utsname=found.names if found else NO_UTSNAME,
        timestamp=(crashed, 0) if crashed is not None and 0 < crashed < 1 << 40 else (0, 0),
        nr_cpus=sum(n.type == NT_PRSTATUS and n.name == "CORE" for n in notes),
        page_size=_block_size(dump, location),
        mappings=_mappings(kernel),
    )
    return Facts(headers, _changes(dump.vmcoreinfo, text))


def _block_size(dump: Dump, location: Location) -> int:
    """A kdump's block is the guest's page for libkdumpfile and makedumpfile.

    QEMU writes blocks of 64 KiB for some architectures, whatever the guest has.
    """
    size = dump.page_size if location.page_size is None else location.page_size
    return size if size < dump.page_size else dump.page_size


def _notes(dump: Dump, arch: Architecture, text: Text, *, mark: bytes) -> tuple[Note, ...]:
    """The dump's notes, with the text among them and that of the repair last."""
    notes = notes_of(dump)
    if dump.byte_order != arch.byte_order:
        notes = tuple(map(arch.turned, notes))
    if text.origin == "note" and any(n.name == VMCOREINFO for n in notes):
        return notes if any(n.name == REPAIR_NOTE for n in notes) else (
            *notes, Note(REPAIR_NOTE, 0, mark, 0)
        )  # fmt: skip
    kept = [n for n in notes if n.name not in (VMCOREINFO, REPAIR_NOTE)]
    return (*kept, Note(VMCOREINFO, 0, text.text, 0), Note(REPAIR_NOTE, 0, mark, 0))


def _mark(dump: Dump, text: Text) -> bytes:
    """What the note of the repair says; of an earlier repair's the writer is kept."""
    writer = repair_facts(dump.notes).get("writer") or detect(dump).origin
    level = getattr(dump.header, "dump_level", _ALL_PAGES)
    facts = {"qemufix": __version__, "VMCOREINFO": text.origin, "writer": writer}
    lines = [f"{key}={value}\n" for key, value in (facts | {"dump_level": f"{level}"}).items()]
    return "".join(lines).encode("ascii", "replace")


def _changes(note: bytes | None, text: Text) -> tuple[Change, ...]:
    if text.origin == "note":
        return ()
    old = None if note is None else f"{len(note)} bytes that do not fit the kernel found"
    return (Change(VMCOREINFO, old, f"{len(text.text)} bytes", _WHY[text.origin]), *text.changes)


def _mappings(kernel: Kernel) -> tuple[Mapping, ...]:
    """The image, and all RAM through the direct map, where that is known."""
    start, end = kernel.location.text_vaddr, kernel.vaddr("_end")
    if start is None:
        return ()
    size = end - start if end is not None and end > start else _LEAST_IMAGE
    image = Mapping(start, kernel.image_paddr(start), -(-size // 4096) * 4096)
    base = kernel.direct_map
    if base is None:
        return (image,)
    top = max((ram.end for ram in kernel.dump.ram), default=0)
    return image, Mapping(base, 0, min(top, kernel.arch.direct_map_most))
