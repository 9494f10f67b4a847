# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that only a right answer can pass, each read from the guest's own memory.

A check holds (True), fails (False), or has nothing to say (None): the symbol is not
known, the page is not in the dump, the kernel has not got that far in booting.
"""

from __future__ import annotations

from collections.abc import Callable

from ..arch.x86_64 import MAX_PADDR, START_KERNEL_MAP, gate_handler, image_paddr
from ..symbols.vmlinux import find_build_id
from ..text import hex64, printable, signed64
from . import from_idt, from_vmcoreinfo_memory, vmcoreinfo_data
from .claim import TOP_TABLES
from .context import Context
from .image import Image
from .result import Evidence

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
    room = 4096 - paddr % 4096
    data = context.memory.get(paddr, min(room, _BANNER_MAX))
    if data is None or not data.startswith(b"Linux version "[:room]):
        return None
    if b"\0" not in data and room < _BANNER_MAX:
        data += context.memory.get(paddr + room, _BANNER_MAX - room) or b""
    text, end, _ = data.partition(b"\0")
    return text if end and text.startswith(b"Linux version ") else None


def check_phys_base(context: Context, image: Image) -> Evidence:
    """The kernel's own variable ``phys_base`` (arch/x86/kernel/head_64.S) says the same."""
    name = "phys_base"
    vaddr = image.vaddr(name)
    value = None if vaddr is None else context.memory.u64(image.paddr(vaddr))
    if vaddr is None or value is None:
        return Evidence(name, "symbol not known" if vaddr is None else "not in the dump")
    held = signed64(value) == image.phys_base
    return Evidence(name, f"variable at {image.paddr(vaddr):#x} is {hex64(value)}", held)


def check_top_table(context: Context, image: Image) -> Evidence:
    """The kernel's top-level table maps the image just where it is said to be."""
    name = "init_top_pgt"
    vaddr = image.vaddr(*TOP_TABLES)
    if vaddr is None or image.text_vaddr is None or image.text_paddr is None:
        return Evidence(name, "symbol not known")
    root = image.paddr(vaddr)
    if context.memory.get(root, 8) is None:
        return Evidence(name, f"table at {root:#x} not in the dump")
    for levels in _levels(context, image):
        found = context.tables(root, levels).translate(image.text_vaddr)
        if found == image.text_paddr:
            image.levels = levels
            return Evidence(
                name, f"table at {root:#x} maps {image.text_vaddr:#x} to {found:#x}", True
            )
    if _unused_yet(context, image, root):
        return Evidence(name, f"table at {root:#x} not in use yet (early boot)")
    return Evidence(name, f"table at {root:#x} does not map {image.text_vaddr:#x} there", False)


def _unused_yet(context: Context, image: Image, root: int) -> bool:
    """True for a table that is empty, or as it was linked, phys_base not added yet.

    __startup_64 and x86_64_start_kernel fill it (arch/x86/kernel/head64.c).
    """
    entry = context.memory.u64(root + 511 * 8)
    if not entry:
        return True
    next_tables = (image.vaddr("level3_kernel_pgt"), image.vaddr("level4_kernel_pgt"))
    as_linked = [vaddr - START_KERNEL_MAP for vaddr in next_tables if vaddr is not None]
    return image.phys_base != 0 and entry & (MAX_PADDR - 1) & ~0xFFF in as_linked


def _levels(context: Context, image: Image) -> tuple[int, ...]:
    if image.levels is not None:
        return (image.levels,)
    vaddr = image.vaddr("__pgtable_l5_enabled")
    flag = None if vaddr is None else context.memory.get(image.paddr(vaddr), 4)
    return (5, 4) if flag is not None and any(flag) else (4, 5)


def check_vmcoreinfo(context: Context, image: Image) -> Evidence:
    """``vmcoreinfo_data`` leads, through the kernel's tables, to a text that agrees."""
    name = "vmcoreinfo_data"
    paddr = vmcoreinfo_data.paddr(context, image)
    if paddr is None:
        return Evidence(name, "pointer not known or not set yet")
    info = from_vmcoreinfo_memory.read_text(context, paddr)
    if info is None:
        return Evidence(name, f"no VMCOREINFO text in the dump at {paddr:#x}")
    said = info.phys_base, info.kernel_offset
    wanted = image.phys_base, image.kaslr_offset
    held = all(s == w for s, w in zip(said, wanted, strict=True) if None not in (s, w))
    return Evidence(name, f"text at {paddr:#x}: {printable(info.osrelease or '?')}", held)


def check_build_id(context: Context, image: Image) -> Evidence:
    """The build ID in the image's ``.notes`` is the vmlinux's, if one is given."""
    name = "build_id"
    start, stop = image.vaddr("__start_notes"), image.vaddr("__stop_notes")
    if start is None or stop is None or not 0 < stop - start <= _NOTES_MAX:
        return Evidence(name, "symbol not known")
    notes = context.memory.get(image.paddr(start), stop - start)
    found = None if notes is None else find_build_id(notes)
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
    if not context.cpus:
        return Evidence(name, "no vCPU state in the dump")
    if not image.cpus:
        return Evidence(name, "no vCPU runs on tables that map it")
    cpus = ", ".join(map(str, image.cpus))
    return Evidence(name, f"the tables of vCPU {cpus} map it", True)


def check_idt(context: Context, image: Image) -> Evidence:
    """The interrupt table of the image holds its own divide-error handler in vector 0."""
    name = "idt"
    table, handler = image.vaddr("idt_table"), image.vaddr(*from_idt.HANDLERS)
    if table is None or handler is None:
        return Evidence(name, "symbol not known")
    gate = context.memory.get(image_paddr(table, image.phys_base), 16)
    found = None if gate is None else gate_handler(gate)
    if found is None:
        return Evidence(name, "vector 0 not set or not in the dump (early boot, FRED)")
    # A kernel that has not reached idt_setup_traps still has its early handlers there.
    return Evidence(name, f"vector 0 is {found:#x}", True if found == handler else None)


CHECKS: tuple[Callable[[Context, Image], Evidence], ...] = (
    check_cpu_tables,
    check_banner,
    check_phys_base,
    check_top_table,
    check_idt,
    check_build_id,
    check_vmcoreinfo,
)


def verify(context: Context, image: Image) -> None:
    """Run every check on ``image`` and fill in what they learn."""
    for check in CHECKS:
        evidence = check(context, image)
        image.checks[evidence.name] = evidence
    vaddr = image.vaddr("linux_banner")
    if vaddr is not None:
        image.banner = read_banner(context, image.paddr(vaddr))
