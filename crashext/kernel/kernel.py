# SPDX-License-Identifier: GPL-3.0-or-later
"""One located kernel, read through its own page tables."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ..arch.base import Architecture, Cpu, Run
from ..locate.image import accounting, vmcoreinfo_data
from ..locate.image.examine import runs_of
from ..locate.image.kernel_memory import kernel_paddr
from ..locate.memory import PAGE_SIZE

if TYPE_CHECKING:
    from ..dumps.base import Dump
    from ..locate import Found
    from ..locate.result import Location

#: Bytes that an image can have, where nothing tells its end.
_MOST_IMAGE = 1 << 28


class Kernel:
    """The kernel of an answer; alive as long as its search is open.

    Attributes:
        dump: the dump.
        location: the answer.
        arch: the descriptor of its architecture.
    """

    dump: Dump
    location: Location
    arch: Architecture

    def __init__(self, found: Found) -> None:
        """Take the kernel of ``found``, which must have one."""
        if found.context is None or found.image is None:
            raise ValueError("no kernel was found")
        self._context, self._image = found.context, found.image
        self.dump = found.context.dump
        self.location = found.location
        self.arch = found.context.arch

    def vaddr(self, *names: str) -> int | None:
        """Run-time address of the first known of the symbols ``names``."""
        return self._image.vaddr(*names)

    def image_paddr(self, vaddr: int) -> int:
        """Physical address of a run-time address of the kernel's image."""
        return self._image.paddr(vaddr)

    def read(self, vaddr: int, size: int) -> bytes | None:
        """Bytes at a virtual address; None where they aren't mapped or not in the dump."""
        parts = []
        while size > 0:
            paddr = self._paddr(vaddr)
            room = min(PAGE_SIZE - vaddr % PAGE_SIZE, size)
            data = None if paddr is None else self._context.memory.get(paddr, room)
            if data is None:
                return None
            parts.append(data)
            vaddr, size = vaddr + room, size - room
        return b"".join(parts)

    def copy(self, vaddr: int, size: int) -> bytearray:
        """``size`` bytes of the image at a run-time address; zeros where the dump has none."""
        return self._context.memory.block(self._image.paddr(vaddr), size)

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """How page tables map the image, ascending; nothing where none are known."""
        return tuple(runs_of(self._context, self._image))

    @property
    def cpus(self) -> tuple[Cpu, ...]:
        """The vCPUs whose state the dump has, and the search was to use."""
        return self._context.cpus

    @property
    def start(self) -> int | None:
        """Run-time address of the image's first byte."""
        return self._image.text_vaddr

    def _paddr(self, vaddr: int) -> int | None:
        start = self._image.text_vaddr
        if start is not None and start <= vaddr < start + _MOST_IMAGE:
            end = self._image.vaddr("_end")
            if end is None or vaddr < end:
                return self._image.paddr(vaddr)
        return kernel_paddr(self._context, self._image, vaddr)

    @cached_property
    def vmcoreinfo(self) -> bytes | None:
        """The text that the kernel wrote of itself; None where it has not, or none is known."""
        return vmcoreinfo_data.text(self._context, self._image)

    @cached_property
    def direct_map(self) -> int | None:
        """The virtual address of physical address 0; None where it isn't known."""
        return accounting.direct_map(self._context, self._image)

    @cached_property
    def needed_vmcoreinfo(self) -> dict[str, str]:
        """Lines by which tools translate its addresses, key to value."""
        return dict(self.arch.vmcoreinfo(self._context, self._image))

    @property
    def dumped_phys_base(self) -> int | None:
        """What a kdump's header should say as phys_base."""
        return self.arch.dumped_phys_base(self._context, self._image)
