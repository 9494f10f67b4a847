# SPDX-License-Identifier: GPL-3.0-or-later
"""Structures of a located kernel, read by the names of their members (its own types, BTF)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..arch.base import MASK64
from ..errors import TypesError
from .kernel import Kernel

if TYPE_CHECKING:
    from ..symbols.btf import Btf
    from .symbols import KernelSymbols

_MOST_TEXT = 4096


class NotThere(Exception):
    """What was asked for is not in the kernel, its types or the dump; the text says which."""


def structs_of(kernel: Kernel) -> Structs:
    """What is needed to read a kernel's structures, from the kernel itself.

    Raises:
        NotThere: it has no symbol table or no types, or they are damaged.
    """
    from .symbols import find_symbols
    from .types import find_types
    from .unlisted.complete import completed

    listed = find_symbols(kernel)
    if listed is None:
        raise NotThere("the kernel has no symbol table (CONFIG_KALLSYMS), or it is not in the dump")
    symbols, _, types, _ = completed(kernel, listed)
    try:
        types = types or find_types(kernel, symbols)
    except TypesError as problem:
        raise NotThere(f"the kernel's types can't be read: {problem}") from problem
    if types is None:
        raise NotThere("the kernel has no types (CONFIG_DEBUG_INFO_BTF), or no symbol for them")
    return Structs(kernel, symbols, types)


class Structs:
    """Numbers, texts and lists of a kernel.

    Attributes:
        kernel: whose memory it is.
        symbols: its symbols.
        types: its types.
    """

    def __init__(self, kernel: Kernel, symbols: KernelSymbols, types: Btf) -> None:
        self.kernel, self.symbols, self.types = kernel, symbols, types
        self._offsets: dict[tuple[str, str], int | None] = {}

    def has(self, struct: str, member: str) -> bool:
        """Whether this kernel's structure has the member (``a.b`` for one inside another)."""
        return self._offset(struct, member) is not None

    def offset(self, struct: str, *members: str) -> int:
        """Bytes from a structure's beginning to the first of ``members`` that it has.

        Raises:
            NotThere: it has none of them.
        """
        for member in members:
            found = self._offset(struct, member)
            if found is not None:
                return found
        raise NotThere(f"struct {struct} has no {' or '.join(members)}")

    def symbol(self, *names: str) -> int:
        """Run-time address of the first known of ``names``.

        Raises:
            NotThere: the kernel's symbols have none of them.
        """
        vaddr = self.symbols.vaddr(*names)
        if vaddr is None:
            raise NotThere(f"the kernel's symbols lack {' and '.join(names)}")
        return vaddr

    def data(self, vaddr: int, size: int) -> bytes:
        """Memory.

        Raises:
            NotThere: a part of it isn't mapped, or not in the dump.
        """
        raw = self.kernel.read(vaddr & MASK64, size)
        if raw is None:
            raise NotThere(f"{vaddr & MASK64:#x} is not in the dump")
        return raw

    def number(self, vaddr: int, size: int, *, signed: bool = False) -> int:
        """A number of ``size`` bytes.

        Raises:
            NotThere: it is not in the dump.
        """
        return int.from_bytes(self.data(vaddr, size), self.kernel.arch.byte_order, signed=signed)

    def pointer(self, vaddr: int) -> int:
        """A pointer or ``unsigned long``.

        Raises:
            NotThere: it is not in the dump.
        """
        return self.number(vaddr, self.kernel.arch.word)

    def text(self, vaddr: int, size: int = _MOST_TEXT) -> bytes:
        """A string up to its NUL, of ``size`` bytes at most.

        Raises:
            NotThere: its beginning is not in the dump.
        """
        room = -vaddr % _MOST_TEXT or _MOST_TEXT  # what is on the same page
        first = self.data(vaddr, min(size, room))
        head, nul, _ = first.partition(b"\0")
        if nul or size <= room:
            return head
        return head + self.data(vaddr + room, size - room).partition(b"\0")[0]

    def entries(self, head: int, struct: str, member: str, most: int) -> Iterator[int]:
        """The structures in a ``list_head``: each is linked by its ``member``.

        Raises:
            NotThere: the list leads out of the dump, into a circle, or on beyond ``most``.
        """
        link, seen = self.offset(struct, member), {head}
        at = self.pointer(head)
        while at != head:
            if at in seen:
                raise NotThere(f"the list of {struct} at {head:#x} runs into a circle")
            if len(seen) > most:
                raise NotThere(f"the list of {struct} at {head:#x} is longer than {most}")
            seen.add(at)
            yield at - link
            at = self.pointer(at)

    def _offset(self, struct: str, member: str) -> int | None:
        key = struct, member
        if key not in self._offsets:
            try:
                self._offsets[key] = self.types.offset(struct, member)
            except TypesError as problem:
                raise NotThere(f"the kernel's types are damaged: {problem}") from problem
        return self._offsets[key]
