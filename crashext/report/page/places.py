# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies where in guest-physical memory, as far as the dump and its kernels tell."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from ...arch.base import MASK64
from ...kernel.iomem import Resource, read_resources
from ...kernel.kernel import Kernel
from ...kernel.structs import NotThere
from ...locate import Found
from ...locate.image import vmcoreinfo_data
from ...locate.image.image import Image
from ...locate.image.kernel_memory import kernel_paddr
from ...locate.memory import PAGE_SIZE
from ...locate.ways.vmcoreinfo_memory import NOTE_HEAD, raw_text
from ..facts import Facts
from .words import shown

_MOST_VCPUS, _MOST_REFUTED = 4096, 32
#: Beginnings of names of /proc/iomem, lower case, that mean firmware or what it set aside.
_FIRMWARE = ("reserved", "acpi", "system rom", "video rom", "unusable", "persistent", "soft res",
             "efi", "ram buffer", "unknown e820")  # fmt: skip


class Place(NamedTuple):
    """One thing in memory.

    Attributes:
        start: its first byte, guest-physical.
        end: behind its last one; None where that isn't known.
        kind: ``kernel``, ``part`` (of the kernel's image), ``tables``, ``vmcoreinfo``, ``log``,
            ``capture`` (memory set aside for a capture kernel), ``firmware``.
        name: what it is.
        source: what says so.
        state: of a kernel, see :func:`crashext.locate.answer.kernels.state`.
    """

    start: int
    end: int | None
    kind: str
    name: str
    source: str
    state: str = ""


class Living(NamedTuple):
    """Where the code lies that a vCPU executes; ``paddr`` is None where no tables tell."""

    number: int
    paddr: int | None


def places_of(found: Found, facts: Facts | None) -> list[Place]:
    """All that is known, by address; the parts of an image follow it."""
    places = [*_kernels(found, facts), *_tables(found)]
    copies = [*_vmcoreinfo(found, facts), *_claims(found)]
    places += {place.start: place for place in reversed(copies)}.values()
    if facts is not None:
        places += [*_log(found, facts), *_resources(facts)]
    if found.image is not None and not any(place.kind == "part" for place in places):
        places += _parts(found.image)
    return sorted(set(places), key=lambda p: (p.start, -(p.end or p.start), p.name))


def living(found: Found) -> list[Living]:
    """Each vCPU, by the page tables that it runs on, or those of its kernel."""
    if found.context is None:
        return []
    return [
        Living(cpu.number, _paddr_of_pc(found, index))
        for index, cpu in enumerate(found.context.cpus[:_MOST_VCPUS])
    ]


def _paddr_of_pc(found: Found, index: int) -> int | None:
    context = found.context
    assert context is not None
    cpu = context.cpus[index]
    for root in context.roots(cpu) if cpu.paging else ():
        assert cpu.paging is not None
        paddr = context.tables(root, cpu.paging).translate(cpu.pc)
        if paddr is not None:
            return paddr
    if not cpu.paging and cpu.known:
        return cpu.pc if any(r.start <= cpu.pc < r.end for r in context.dump.ram) else None
    if found.image is not None and context.arch.is_image_vaddr(cpu.pc):
        end = found.image.vaddr("_end")
        if end is not None and (found.image.text_vaddr or end) <= cpu.pc < end:
            return found.image.paddr(cpu.pc)
    return kernel_paddr(context, found.image, cpu.pc) if found.image else None


def _vaddr(found: Found, facts: Facts | None, image: Image, name: str) -> int | None:
    """A symbol of an image; of the answer's all symbols are known, where it has them."""
    vaddr = image.vaddr(name)
    if vaddr is None and image is found.image and facts is not None and facts.structs:
        vaddr = facts.structs.symbols.vaddr(name)
    return vaddr


def _kernels(found: Found, facts: Facts | None) -> Iterator[Place]:
    """Every image met, its end where its symbols say it; of the answer's, its parts."""
    images = {image.id: image for image in found.images}
    for kernel in found.location.kernels:
        image = images.get(str(kernel["id"]))
        start = None if image is None else image.text_paddr
        if image is None or start is None:
            continue
        name = f"kernel {shown(kernel['release'] or 'of unknown release')}"
        last = _vaddr(found, facts, image, "_end")
        end = None if last is None or image.paddr(last) <= start else image.paddr(last)
        confirmed = ", ".join(kernel["confirmed_by"]) or "nothing"
        source = f"borne out by {confirmed}"
        yield Place(start, end, "kernel", name, source, str(kernel["state"]))


def _parts(image: Image) -> Iterator[Place]:
    """Of the answer's image, where its own symbols tell."""
    for name, (starts, ends) in image.arch.image_resources.items():
        first = image.vaddr(*starts) if starts else image.text_vaddr
        last = image.vaddr(*ends)
        if first is not None and last is not None and first < last:
            where = image.paddr(first), image.paddr(last)
            yield Place(*where, "part", name, "its symbols")


def _tables(found: Found) -> Iterator[Place]:
    """Top-level page tables: those that kernels were linked with, and those that vCPUs use."""
    context = found.context
    if context is None:
        return
    for image in found.images:
        names = [name for name in image.arch.top_tables if image.vaddr(name) is not None]
        for name in names[:1]:
            start = image.symbol_paddr(name)
            if start is not None and _in_ram(found, start):
                text = f"top-level page table {name} of the kernel at {image.id}"
                yield Place(start, start + PAGE_SIZE, "tables", text, "the kernel's symbol")
    roots: dict[int, list[int]] = {}
    for cpu in islice(context.cpus, _MOST_VCPUS):
        for root in context.roots(cpu) if cpu.paging else ():
            roots.setdefault(root, []).append(cpu.number)
    for root, cpus in roots.items():
        numbers = ", ".join(map(str, cpus[:8])) + (", ..." if len(cpus) > 8 else "")
        text = f"top-level page table in use by vCPU {numbers}"
        yield Place(root, root + PAGE_SIZE, "tables", text, "the vCPU's registers")


def _vmcoreinfo(found: Found, facts: Facts | None) -> Iterator[Place]:
    """The kernel's copies (kernel/vmcore_info.c): the text, the note, the one kept from harm."""
    context = found.context
    for image in found.images if context else ():
        assert context is not None
        copies = {"vmcoreinfo_data": (vmcoreinfo_data.paddr(context, image), 0)}
        for name, skip in (("vmcoreinfo_note", NOTE_HEAD), ("vmcoreinfo_data_safecopy", 0)):
            vaddr = _vaddr(found, facts, image, name)
            pointer = None if vaddr is None else context.memory.word(image.paddr(vaddr))
            copies[name] = (kernel_paddr(context, image, pointer) if pointer else None, skip)
        for name, (start, skip) in copies.items():
            if start is not None and raw_text(context, start + skip) is not None:
                words = f"VMCOREINFO, {name} of the kernel at {image.id}"
                yield Place(start, start + PAGE_SIZE, "vmcoreinfo", words, "the kernel's pointer")


def _claims(found: Found) -> Iterator[Place]:
    """Texts that the search met in memory, those also that nothing bears out."""
    met = [(proposal, image.id) for image in found.images for proposal in image.proposals]
    refuted = found.context.refuted if found.context else []
    for proposal, image in [*met, *((proposal, "") for proposal in refuted[:_MOST_REFUTED])]:
        if proposal.info_paddr is not None:
            start = proposal.info_paddr // PAGE_SIZE * PAGE_SIZE
            whose = f"of the kernel at {image}" if image else "that no page tables bear out"
            words = f"VMCOREINFO, a text {whose}"
            yield Place(
                start, start + PAGE_SIZE, "vmcoreinfo", words, f"found by {proposal.source}"
            )


def _log(found: Found, facts: Facts) -> Iterator[Place]:
    log = facts.log
    if log is None or log.vaddr is None or found.context is None or found.image is None:
        return
    start = Kernel(found).image_paddr(log.vaddr)
    if not found.context.arch.is_image_vaddr(log.vaddr):
        start = kernel_paddr(found.context, found.image, log.vaddr & MASK64) or -1
    if _in_ram(found, start):
        yield Place(start, start + log.size, "log", "log buffer, its text", "printk's variables")


def _resources(facts: Facts) -> Iterator[Place]:
    """What the kernel was told of by firmware, or has set aside, of its tree of resources."""
    if facts.structs is None:
        return
    try:
        tree = read_resources(facts.structs)
    except NotThere as problem:
        facts.lacking["iomem"] = str(problem)
        return
    if tree.problem:
        facts.lacking["iomem"] = tree.problem
    source = "the kernel's iomem_resource (/proc/iomem)"
    for each in tree.resources:
        kind = _kind(each)
        if kind is not None:
            yield Place(each.start, each.end, kind, shown(each.name), source)


def _kind(resource: Resource) -> str | None:
    name = resource.name.decode("ascii", "replace").lower()
    if name.startswith("crash kernel"):
        return "capture"
    if resource.depth and name.startswith("kernel "):
        return "part"
    return "firmware" if name.startswith(_FIRMWARE) else None


def _in_ram(found: Found, paddr: int) -> bool:
    assert found.context is not None
    return 0 <= paddr < found.context.ram_end
