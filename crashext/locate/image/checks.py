# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that only a right answer can pass, each read from the guest's own memory.

A check holds (True), fails (False), or has nothing to say (None): the symbol is not
known, the page is not in the dump, the kernel has not got that far in booting.
"""

from __future__ import annotations

from collections.abc import Callable

from ...arch.base import AddressSpace, Evidence, Paging
from ...symbols.vmlinux import find_build_id
from ...text import hex64, printable
from ..context import Context
from ..memory import PAGE_SIZE
from ..ways import vmcoreinfo_memory
from . import accounting, body, vmcoreinfo_data, witnesses
from .image import Image, vcpus

_BANNER_MAX = 1024
_NOTES_MAX = 4096


def check_banner(context: Context, image: Image) -> Evidence:
    """The whole ``linux_banner`` stands where the symbol says; the vmlinux's own, if given."""
    name = "linux_banner"
    vaddr = image.vaddr(name)
    if vaddr is None and image.banner is not None:
        return Evidence(name, f"in its read-only data: {printable(image.banner.strip())}", True)
    if vaddr is None:
        return Evidence(name, "symbol not known")
    text = read_banner(context, image.paddr(vaddr))
    if text is None:
        present = context.memory.get(image.paddr(vaddr), 16) is not None
        return Evidence(name, f"no banner at {image.paddr(vaddr):#x}", False if present else None)
    if context.vmlinux is not None and image.symbols.origin == "vmlinux":
        held = text == context.vmlinux.banner
    else:
        held = True
    return Evidence(name, f"at {image.paddr(vaddr):#x}: {printable(text.strip())}", held)


def read_banner(context: Context, paddr: int) -> bytes | None:
    """The ``Linux version ...`` text at ``paddr`` without its NUL, or None."""
    room = PAGE_SIZE - paddr % PAGE_SIZE
    data = context.memory.get(paddr, min(room, _BANNER_MAX))
    if data is None or not data.startswith(b"Linux version "[:room]):
        return None
    if b"\0" not in data and room < _BANNER_MAX:
        data += context.memory.get(paddr + room, _BANNER_MAX - room) or b""
    text, end, _ = data.partition(b"\0")
    return text if end and text.startswith(b"Linux version ") else None


def check_placement(context: Context, image: Image) -> Evidence:
    """The kernel's own variables for it say the same."""
    name, vaddr = image.arch.placements[0], image.vaddr(*image.arch.placements)
    if vaddr is None:
        return Evidence(name, "symbol not known")
    stored = image.arch.stored_voffset(context.memory, image.symbol_paddr)
    if stored is None:
        return Evidence(name, "not in the dump, or not set yet")
    words = f"variable at {image.paddr(vaddr):#x} means a voffset of {hex64(stored)}"
    return Evidence(name, words, stored == image.voffset)


def check_top_table(context: Context, image: Image) -> Evidence:
    """The kernel's top-level table maps the image just where it is said to be, all of it."""
    name = image.arch.top_tables[0]
    vaddr, text = image.vaddr(*image.arch.top_tables), image.vaddr("_stext") or image.text_vaddr
    if vaddr is None or text is None:
        return Evidence(name, "symbol not known")
    root = image.paddr(vaddr)
    if context.memory.get(root, 8) is None:
        return Evidence(name, f"table at {root:#x} not in the dump")
    for paging in _pagings(context, image):
        tables = context.tables(root, paging)
        if tables.translate(text) == image.paddr(text):
            image.paging = paging
            words = f"table at {root:#x} maps {text:#x} to {image.paddr(text):#x}"
            bent = [v for v in _landmarks(image) if not _is_straight(tables, image, v)]
            if bent:
                return Evidence(name, f"{words}, but {bent[0]:#x} elsewhere")
            return Evidence(name, words, True)
    return _unmapped(context, image, root, text)


def _is_straight(tables: AddressSpace, image: Image, vaddr: int) -> bool:
    return tables.translate(vaddr) in (None, image.paddr(vaddr))


def _unmapped(context: Context, image: Image, root: int, text: int) -> Evidence:
    """Why the image's own table does not map its text: for a reason, or because it is none."""
    name = image.arch.top_tables[0]
    if image.arch.top_table_unused(context, image, root):
        return Evidence(name, f"table at {root:#x} not in use yet (early boot)")
    if any(context.tables(root, paging).lost(text) for paging in _pagings(context, image)):
        return Evidence(name, f"below the table at {root:#x} one is not in the dump")
    if image.partial_cpus:
        return Evidence(name, f"table at {root:#x} maps {text:#x} elsewhere")
    return Evidence(name, f"table at {root:#x} does not map {text:#x} there", False)


def _landmarks(image: Image) -> list[int]:
    """Run-time addresses all over the image."""
    names = ("linux_banner", *image.arch.placements, *image.arch.top_tables)
    return [vaddr for name in names if (vaddr := image.vaddr(name)) is not None]


def _pagings(context: Context, image: Image) -> tuple[Paging, ...]:
    if image.paging is not None:
        return (image.paging,)
    return image.arch.pagings_in_use(context, image)


def check_vmcoreinfo(context: Context, image: Image) -> Evidence:
    """``vmcoreinfo_data`` leads, through the kernel's tables, to a text that agrees."""
    name = "vmcoreinfo_data"
    paddr = vmcoreinfo_data.paddr(context, image)
    if paddr is None:
        return Evidence(name, "pointer not known or not set yet")
    info = vmcoreinfo_memory.read_text(context, paddr)
    if info is None:
        return Evidence(name, f"no VMCOREINFO text in the dump at {paddr:#x}")
    said = image.arch.said_voffset(info), info.kernel_offset
    wanted = image.voffset, image.kaslr_offset
    held = all(s == w for s, w in zip(said, wanted, strict=True) if None not in (s, w))
    return Evidence(name, f"text at {paddr:#x}: {printable(info.osrelease or '?')}", held)


def check_build_id(context: Context, image: Image) -> Evidence:
    """The build ID in the image's ``.notes`` is the vmlinux's, if one is given."""
    name = "build_id"
    start, stop = image.vaddr("__start_notes"), image.vaddr("__stop_notes")
    if start is None or stop is None or not 0 < stop - start <= _NOTES_MAX:
        return Evidence(name, "symbol not known")
    notes = context.memory.get(image.paddr(start), stop - start)
    found = None if notes is None else find_build_id(notes, image.arch.byte_order)
    if found is None:
        return Evidence(name, "no build ID readable in the image")
    image.build_id = found
    given = None if context.vmlinux is None else context.vmlinux.build_id
    if image.symbols.origin != "vmlinux" or given is None:
        return Evidence(name, found, True if image.symbols.origin != "vmlinux" else None)
    return Evidence(name, found, found == given)


def check_cpu_tables(context: Context, image: Image) -> Evidence:
    """The page tables a vCPU runs on map the image there."""
    name = "cpu_page_tables"
    if not context.tables_told:
        what = (
            "the vCPUs' notes name no page tables" if context.cpus else "no vCPU state in the dump"
        )
        return Evidence(name, what)
    if image.cpus:
        return Evidence(name, f"the tables of {vcpus(image.cpus)} map it", True)
    if image.partial_cpus:
        words = f"the tables of {vcpus(image.partial_cpus)} map it in part"
        return Evidence(name, f"{words}, and other memory in between")
    return Evidence(name, "no vCPU runs on tables that map it")


CHECKS: tuple[Callable[[Context, Image], Evidence], ...] = (
    check_cpu_tables,
    check_banner,
    check_placement,
    check_top_table,
    check_build_id,
    check_vmcoreinfo,
)


def verify(context: Context, image: Image) -> None:
    """Run every check on ``image`` and fill in what they learn.

    What a vCPU runs in needs no further proof that it is a kernel; of every other image
    its body is looked at, and whether it accounts for memory.
    """
    image.checks.clear()
    for check in CHECKS:
        _note(image, check(context, image))
    if context.cpus and not context.tables_told:
        _note(image, witnesses.check(context, image))
    for evidence in image.arch.checks(context, image):
        _note(image, evidence)
    vaddr = image.vaddr("linux_banner")
    if vaddr is not None:
        image.banner = read_banner(context, image.paddr(vaddr))
    if not image.cpus:
        _note(image, body.check(context, image))
        if not context.tables_told:
            for evidence in accounting.checks(context, image):
                _note(image, evidence)


def accounts_for_itself(image: Image) -> bool:
    """True for an image that all of memory bears out, whatever no vCPU or vmlinux tells."""
    (placement, top_table), held = image.own_checks, set(image.held)
    needed = {top_table, "linux_banner", body.NAME}
    # What lies, or is named, where no program's memory is need not account for the rest.
    if not held & set(image.arch.privileged):
        needed |= {accounting.DIRECT_MAP, accounting.MEMORY_MAP}
        # A forger of an image that vCPUs could tell has to lay out all of the rest as well.
        if image.arch.notes_name_tables:
            return needed | {placement} <= held and image.has_all_symbols
    # Without a vmlinux not every kernel lets its variable be found.
    return needed <= held and image.checks[placement].held is not False


def _note(image: Image, evidence: Evidence) -> None:
    image.checks[evidence.name] = evidence
