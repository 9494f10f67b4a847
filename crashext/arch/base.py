# SPDX-License-Identifier: GPL-3.0-or-later
"""What the search asks of an architecture: one descriptor, :class:`Architecture`.

Everything that is answered differently from one architecture to the next is a member of
it, and nothing else is; docs/porting.md says which of them are the minimum and what each
further one buys. The search's own quantity is the *voffset* of a kernel image,
``vaddr - paddr`` modulo 2^64: the image is mapped linearly on every architecture.
x86_64 writes it as ``phys_base``, arm64 as ``kimage_voffset``, riscv64 as
``va_kernel_pa_offset``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from ..dumps.base import ByteOrder, Note
from ..vmcoreinfo import Vmcoreinfo

MASK64 = (1 << 64) - 1


class Paging(NamedTuple):
    """One way of translating addresses: the shape of a tree of page tables.

    ``levels`` of tables, ``va_bits`` of a virtual address that they translate (the rest
    repeats the top one), ``page_size`` in bytes of the smallest page.
    The first two are 0 where no tree of tables in memory translates. ``skipped`` are entries
    at the start of the top-level table that it leaves out, and that are empty.
    """

    levels: int
    va_bits: int
    page_size: int = 4096
    skipped: int = 0


class Evidence(NamedTuple):
    """One thing that was looked at: what it is, what was seen, whether it agrees.

    ``held`` is True (supports the answer), False (contradicts it) or None
    (could not be looked at, or says nothing either way).
    """

    name: str
    value: str
    held: bool | None = None


class Run(NamedTuple):
    """A run of virtual addresses mapped to consecutive physical ones.

    ``size`` in bytes; ``writable`` and ``executable`` as the last-level entry says.
    """

    vaddr: int
    paddr: int
    size: int
    writable: bool
    executable: bool

    @property
    def end(self) -> int:
        """First virtual address behind the run."""
        return self.vaddr + self.size

    @property
    def voffset(self) -> int:
        """``vaddr - paddr`` modulo 2^64."""
        return (self.vaddr - self.paddr) & MASK64


class Proposal(NamedTuple):
    """What a way of searching proposes, before anything is believed.

    ``source`` names the way that made it, ``detail`` says in words what was seen.
    ``cpu`` is the vCPU it came from, ``text_vaddr`` the first mapped address of the
    image, ``paging`` that of the page tables it was read from, ``info`` the VMCOREINFO
    text that says so, ``root`` the physical address of the top-level table that bears it out.
    ``info_paddr`` is where the text stands in memory, None for one that is not there.
    ``whole`` is False where the tables map other memory in between.
    """

    source: str
    voffset: int
    kaslr_offset: int | None
    detail: str
    cpu: int | None = None
    text_vaddr: int | None = None
    paging: Paging | None = None
    info: Vmcoreinfo | None = None
    root: int | None = None
    info_paddr: int | None = None
    whole: bool = True

    @property
    def text_paddr(self) -> int | None:
        """Physical address of ``text_vaddr``."""
        return None if self.text_vaddr is None else (self.text_vaddr - self.voffset) & MASK64


#: Names of /proc/iomem: to each the linker's symbols at its start, and behind its last byte.
Resources = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]


class Memory(Protocol):
    """Guest-physical memory."""

    def get(self, paddr: int, size: int) -> bytes | None:
        """Bytes at ``paddr``, or None where the dump has none."""

    def u64(self, paddr: int) -> int | None:
        """The number of 64 bits at ``paddr`` in the guest's byte order, or None."""

    def u32(self, paddr: int) -> int | None:
        """Likewise of 32 bits."""

    def word(self, paddr: int) -> int | None:
        """Likewise of the width of a pointer."""


class Cpu(Protocol):
    """The state of one vCPU, as the dump's notes have it."""

    @property
    def number(self) -> int:
        """Its number, from 0."""

    @property
    def pc(self) -> int:
        """Where it executes, a virtual address."""

    @property
    def sp(self) -> int:
        """Its stack pointer, a virtual address."""

    @property
    def registers(self) -> Mapping[str, int]:
        """The registers worth showing, in order, by the names that the JSON gives them."""

    @property
    def empty(self) -> bool:
        """True for a state that no CPU has: the note was wiped."""

    @property
    def known(self) -> bool:
        """True when the note says whether and how addresses are translated."""

    @property
    def paging(self) -> Paging | None:
        """How it translates addresses; None where no kernel of this architecture does so."""

    @property
    def mode(self) -> str:
        """The mode it runs in, in words."""

    def roots(self, ram_end: int) -> tuple[int, ...]:
        """Physical addresses of what may be its kernel's top-level table, inside RAM."""


class AddressSpace(Protocol):
    """Page tables, walked in a bounded number of steps."""

    def translate(self, vaddr: int) -> int | None:
        """The physical address that ``vaddr`` is mapped to, or None."""

    def lost(self, vaddr: int) -> bool:
        """True when the walk to ``vaddr`` meets a table that is not in the dump."""

    def image_runs(self, near: int | None) -> tuple[Run, ...]:
        """The mapped runs of the window that kernel images are mapped in, ascending.

        ``near`` is an address in the image, where one is known: an architecture whose
        window is too large to be listed lists only what lies around it.
        """


class Search(Protocol):
    """What an architecture's own ways and checks may ask of the search."""

    @property
    def memory(self) -> Memory:
        """The guest's memory."""

    @property
    def cpus(self) -> Sequence[Cpu]:
        """The vCPUs whose state may be used."""

    @property
    def ram_end(self) -> int:
        """First physical address behind all RAM."""

    def tables(self, root: int, paging: Paging) -> AddressSpace:
        """The address space whose top-level table is at physical ``root``."""

    def linked(self, *names: str) -> int | None:
        """The address that the vmlinux given links the first known of ``names`` to."""


class View(Protocol):
    """A kernel image, as an architecture's checks see it."""

    @property
    def voffset(self) -> int:
        """``vaddr - paddr`` modulo 2^64."""

    @property
    def kaslr_offset(self) -> int | None:
        """How far KASLR moved its virtual addresses."""

    @property
    def text_vaddr(self) -> int | None:
        """Run-time address of ``_text``."""

    @property
    def paging(self) -> Paging | None:
        """How its page tables translate, where that is known."""

    @property
    def info(self) -> Vmcoreinfo | None:
        """A VMCOREINFO of this image that page tables bear out."""

    def vaddr(self, *names: str) -> int | None:
        """Run-time address of the first known of the symbols ``names``."""

    def paddr(self, vaddr: int) -> int:
        """Physical address of a run-time address of the image."""


class Architecture(Protocol):
    """One architecture; the tables of :mod:`crashext.arch` list them.

    Attributes:
        name: as :attr:`crashext.dumps.base.Dump.arch` has it.
        dump_arches: what a dump of such a guest may say of itself.
        byte_order: of the guest's memory.
        word: bytes of a pointer.
        image_align: what the image's physical and virtual start are multiples of.
        dense_text: how far behind the image's start its text is code, without padding; where
            that differs between kernels, each: the first of them where there is anything.
        linear: True where every image has the same voffset: a program counter alone tells then
            which image a vCPU executes.
        direct_map_most: the direct map of any kernel holds RAM below this, if there is any.
        pagings: shapes of page tables, those to try where nothing tells.
        top_tables: names of the kernel's own top-level table, today's first.
        start_symbols: names of the image's first byte, the usual one first.
        placements: the kernel variables that repeat where the image was placed.
        symbols: further symbols that the members below look at.
        image_magic: offset and bytes by which boot loaders know its images; None for none.
        kernel_code: instructions that stand every few hundred bytes in a kernel's text and that no
            program may execute; None where the search doesn't need them.
        notes_name_tables: whether the notes of a dump say which page tables a vCPU uses.
        image_resources: by which its kernels say in /proc/iomem where parts of the image lie.
        first_break: the linker's symbol that ``init_mm.brk`` starts as (setup_arch()), "" for none.
        call_entry: the function that takes system calls out of ``sys_call_table``; "" where
            :meth:`addresses` reads no instructions.
        privileged: those of its checks that no program in the guest can forge, since they look
            at physical memory that programs never get.
        said_placements: keys of VMCOREINFO that say where the kernel lies: what the search found
            is right where a text says otherwise.
        crash_lacks: what crash has to be told that none of its options tells, so that it needs a
            VMCOREINFO in the dump; "" where ``crash_args`` suffice.
        meanings: what its own ways and checks say, in words, by their names.
    """

    name: str
    dump_arches: tuple[str, ...]
    byte_order: ByteOrder
    word: int
    image_align: int
    dense_text: tuple[int, ...]
    linear: bool
    direct_map_most: int
    pagings: tuple[Paging, ...]
    top_tables: tuple[str, ...]
    start_symbols: tuple[str, ...]
    placements: tuple[str, ...]
    symbols: tuple[str, ...]
    image_magic: tuple[int, bytes] | None
    kernel_code: re.Pattern[bytes] | None
    notes_name_tables: bool
    image_resources: Resources
    first_break: str
    call_entry: str
    privileged: tuple[str, ...]
    said_placements: tuple[str, ...]
    crash_lacks: str
    meanings: Mapping[str, str]

    def cpus(self, notes: Sequence[Note]) -> tuple[Cpu, ...]:
        """The vCPUs of a dump; malformed notes are left out."""

    def state_notes(self, states: Sequence[Mapping[str, bytes]]) -> tuple[Note, ...]:
        """The notes that QEMU's dump would have of the vCPUs, from the fields of their state.

        ``states`` are as :attr:`crashext.dumps.base.Dump.cpu_states` has them; without a note
        where they are not as QEMU writes them.
        """

    def tables(self, memory: Memory, root: int, paging: Paging, ram_end: int) -> AddressSpace:
        """The address space whose top-level table is at physical ``root``."""

    def is_image_vaddr(self, vaddr: int) -> bool:
        """True when ``vaddr`` lies in the window that kernel images are mapped in."""

    def is_voffset(self, voffset: int, ram_end: int) -> bool:
        """True when an image can be placed so in a guest whose RAM ends at ``ram_end``."""

    def is_kaslr_offset(self, value: int) -> bool:
        """True when KASLR can have moved the kernel's virtual addresses by ``value``."""

    def said_voffset(self, info: Vmcoreinfo) -> int | None:
        """The voffset that a VMCOREINFO states, None where it states none."""

    def said_text(self, info: Vmcoreinfo) -> int | None:
        """The run-time address of ``_text`` that a VMCOREINFO implies, None where it does not."""

    def stored_voffset(self, memory: Memory, paddr: Callable[[str], int | None]) -> int | None:
        """The voffset that the variables ``placements`` mean, None where they aren't set yet.

        ``paddr`` tells where they and the ``start_symbols`` lie; None where memory or symbols
        lack one.
        """

    def phys_base(self, voffset: int) -> int | None:
        """The signed phys_base of that placement; None where there is no such notion."""

    def window_starts_image(self, vaddr: int) -> bool:
        """True when an image mapped from ``vaddr`` on starts there.

        Tables of early boot map the window from its beginning: no word on _text then.
        """

    def image_size(self, head: bytes) -> int | None:
        """Bytes in memory of the image that starts with ``head``, None if that is no header."""

    def ways(self, search: Search) -> Iterator[Proposal]:
        """Proposals by ways that only this architecture has, a few page reads in all."""

    def checks(self, search: Search, image: View) -> Iterator[Evidence]:
        """Checks of an image that only this architecture has."""

    def pagings_in_use(self, search: Search, image: View) -> tuple[Paging, ...]:
        """The shapes that the image's own page tables may have, likeliest first."""

    def top_table_unused(self, search: Search, image: View, root: int) -> bool:
        """True when the image's own top-level table was not in use yet (early boot)."""

    def boot_kaslr_offset(self, search: Search, image: View) -> int | None:
        """The KASLR offset as what the boot loader left in memory tells it."""

    def phys_offset(self, search: Search, image: View) -> int | None:
        """What the kernel takes for the physical address that its direct map starts with.

        None where the architecture has no such notion, or nothing tells.
        """

    def direct_maps(self, search: Search, image: View) -> Iterator[int]:
        """Virtual addresses at which the kernel may map physical address 0, likeliest first."""

    def memory_maps(self, search: Search, image: View) -> Iterator[int]:
        """Virtual addresses at which its struct page of page 0 may be, likeliest first."""

    def vmcoreinfo(self, search: Search, image: View) -> Mapping[str, str]:
        """Lines of VMCOREINFO, key to value, that tell tools how to translate its addresses.

        Written as the kernel writes them; those whose values are known.
        """

    def addresses(self, code: bytes, vaddr: int) -> frozenset[int]:
        """What addresses the function at ``vaddr``, whose bytes ``code`` are, makes up and uses.

        Some may be missed, or be none: who asks has to bear them out. Empty where instructions
        are not read.
        """

    def turned(self, note: Note) -> Note:
        """A note of a dump whose headers are in the other byte order, in the guest's own."""

    def dumped_phys_base(self, search: Search, image: View) -> int | None:
        """What a kdump's sub-header has as phys_base; None where nobody reads it."""

    def padding(self, code: bytes) -> int:
        """Bytes at the end of a function's ``code`` that only fill up to the next function.

        ``code`` may be the last 80 bytes of it.
        """

    def crash_args(self, search: Search, image: View) -> tuple[str, ...]:
        """The options that make crash start right; none where too little is known."""
