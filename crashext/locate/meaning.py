# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ways and the checks of the search are, in a kernel engineer's words."""

from __future__ import annotations

from ..arch import ARCHITECTURES
from .context import OWN
from .image import accounting, body, witnesses
from .ways import (
    banner,
    code,
    elfcorehdr,
    image_header,
    near_code,
    page_tables,
    vmcoreinfo_memory,
    vmcoreinfo_note,
)

#: By what :class:`crashext.locate.result.Step` calls them.
WAYS = {
    vmcoreinfo_note.SOURCE: "the file's VMCOREINFO note, which a driver in the guest told QEMU of",
    page_tables.SOURCE: "the page tables that the vCPUs run on: where they map a kernel's image",
    OWN: "what only this architecture has",
    banner.SOURCE: "every place in RAM where the banner of the vmlinux given could be",
    vmcoreinfo_memory.SOURCE: "VMCOREINFO texts anywhere in RAM; those that page tables bear out",
    near_code.SOURCE: "VMCOREINFO texts near a kernel's code, where all of RAM is dear to read",
    elfcorehdr.SOURCE: "the ELF header that a capture kernel was given of the kernel before it",
    image_header.SOURCE: "headers by which boot loaders know kernel images, anywhere in RAM",
    code.SOURCE: "code that only a kernel may execute, anywhere in RAM",
}

_CHECKS = {
    "linux_banner": 'the whole "Linux version ..." text is where it should be',
    "build_id": "the notes in the image have a build ID, that of the vmlinux if one is given",
    "cpu_page_tables": "the page tables that a vCPU runs on map the image to this place",
    "vmcoreinfo_data": "the kernel's own pointer leads to a VMCOREINFO that says the same",
    witnesses.NAME: "a vCPU executes the image's text, on a stack that the image's tables map",
    body.NAME: "pages drawn by lot from text and read-only data are those of a kernel",
    accounting.DIRECT_MAP: "its page tables map RAM, at places drawn by lot, as a kernel's do",
    accounting.MEMORY_MAP: "its struct pages account for RAM, and have the image's pages reserved",
    "crashk_res": "where the capture kernel lies was set aside by the one that crashed",
    "panic_cpu": "the kernel noted which CPU panicked",
    "CRASHTIME": "the kernel noted in its VMCOREINFO when it crashed",
}


def meaning_of_check(name: str, arch: str) -> str:
    """What a piece of evidence of that ``name`` says where it holds; "" for an unknown one."""
    for architecture in (each for each in ARCHITECTURES if each.name == arch):
        if name in architecture.meanings:
            return architecture.meanings[name]
        if name in architecture.placements:
            return "the kernel's own variable for where it was loaded says the same"
        if name in architecture.top_tables:
            return "the kernel's own top-level page table maps the image just there, all of it"
    return _CHECKS.get(name) or WAYS.get(name, "")
