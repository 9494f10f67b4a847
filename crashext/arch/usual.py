# SPDX-License-Identifier: GPL-3.0-or-later
"""What most architectures answer alike: a descriptor says only what is its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from ..dumps.base import ByteOrder, Note
from .base import MASK64, Evidence, Proposal, Resources, Search, View


class WithoutTables:
    """What a vCPU answers whose note has no register that tells how addresses are translated."""

    __slots__ = ()

    @property
    def known(self) -> bool:
        """False."""
        return False

    @property
    def paging(self) -> None:
        """None."""

    def roots(self, ram_end: int) -> tuple[int, ...]:
        """None."""
        return ()


class Usual:
    """Answers to :class:`crashext.arch.base.Architecture` of a 64-bit little-endian kernel.

    It has no image header, no phys_base and no ways or checks of its own.
    """

    byte_order: ByteOrder = "little"
    word = 8
    linear = False
    dense_text: tuple[int, ...] = (0,)
    direct_map_most = MASK64
    top_tables: tuple[str, ...] = ("swapper_pg_dir",)
    start_symbols: tuple[str, ...] = ("_text", "_stext")
    symbols: tuple[str, ...] = ()
    privileged: tuple[str, ...] = ()
    image_resources: Resources = MappingProxyType({})
    first_break = "_end"
    call_entry = ""
    image_magic: tuple[int, bytes] | None = None
    kernel_code: re.Pattern[bytes] | None = None
    said_placements: tuple[str, ...] = ()
    crash_lacks = ""
    meanings: Mapping[str, str] = MappingProxyType({})

    def state_notes(self, states: Sequence[Mapping[str, bytes]]) -> tuple[Note, ...]:
        """None: the state of its vCPUs is not read."""
        return ()

    def phys_base(self, voffset: int) -> int | None:
        """No such notion."""
        return None

    def window_starts_image(self, vaddr: int) -> bool:
        """What is mapped first is the image."""
        return True

    def image_size(self, head: bytes) -> int | None:
        """Its images have no header."""
        return None

    def ways(self, search: Search) -> Iterator[Proposal]:
        """None of its own."""
        return iter(())

    def checks(self, search: Search, image: View) -> Iterator[Evidence]:
        """None of its own."""
        return iter(())

    def top_table_unused(self, search: Search, image: View, root: int) -> bool:
        """Not told from any other."""
        return False

    def boot_kaslr_offset(self, search: Search, image: View) -> int | None:
        """The boot loader leaves nothing that tells it."""
        return None

    def phys_offset(self, search: Search, image: View) -> int | None:
        """No such notion."""
        return None

    def vmcoreinfo(self, search: Search, image: View) -> Mapping[str, str]:
        """The KASLR offset and the kernel's own top-level table."""
        lines = {}
        if image.kaslr_offset is not None:
            lines["KERNELOFFSET"] = f"{image.kaslr_offset:x}"
        table = image.vaddr(*self.top_tables)
        if table is not None:
            lines["SYMBOL(swapper_pg_dir)"] = f"{table:x}"
        return lines

    def addresses(self, code: bytes, vaddr: int) -> frozenset[int]:
        """Its instructions are not read."""
        return frozenset()

    def turned(self, note: Note) -> Note:
        """Nobody writes one in another order."""
        return note

    def dumped_phys_base(self, search: Search, image: View) -> int | None:
        """Nobody reads it."""
        return None

    def padding(self, code: bytes) -> int:
        """Not told from instructions."""
        return 0

    def crash_args(self, search: Search, image: View) -> tuple[str, ...]:
        """None are needed."""
        return ()
