# SPDX-License-Identifier: GPL-3.0-or-later
"""What a way of searching proposes, before anything is believed."""

from __future__ import annotations

from dataclasses import dataclass

from ..arch.x86_64 import KERNEL_IMAGE_MAX, PHYS_BASE_ALIGN, PMD_SIZE
from ..vmcoreinfo import Vmcoreinfo


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proposal: the kernel's ``phys_base`` (signed) and, where known, its KASLR offset.

    ``source`` names the way that made it, ``detail`` says in words what was seen.
    ``cpu`` is the vCPU it came from, ``text_vaddr`` the first mapped address of the
    image, ``levels`` those of the page tables it was read from, ``info`` the VMCOREINFO
    text that says so.
    """

    source: str
    phys_base: int
    kaslr_offset: int | None
    detail: str
    cpu: int | None = None
    text_vaddr: int | None = None
    levels: int | None = None
    info: Vmcoreinfo | None = None


def is_phys_base(value: int, ram_end: int) -> bool:
    """True when ``value`` can be a phys_base in a guest whose RAM ends at ``ram_end``.

    It is a multiple of 2 MiB; the image it places starts inside RAM, so it can be
    negative by less than the 1 GiB image window.
    """
    return value % PHYS_BASE_ALIGN == 0 and -KERNEL_IMAGE_MAX < value < ram_end


def is_kaslr_offset(value: int) -> bool:
    """True when ``value`` can be a KASLR offset: 2 MiB steps inside the image window.

    arch/x86/boot/compressed/kaslr.c, find_random_virt_addr.
    """
    return value % PMD_SIZE == 0 and 0 <= value < KERNEL_IMAGE_MAX
