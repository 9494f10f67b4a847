# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers of a kernel's structures: offsets from VMCOREINFO, else from its types."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ...errors import TypesError
from ...vmcoreinfo import parse
from ..kernel import Kernel

if TYPE_CHECKING:
    from ...symbols.btf import Btf
    from ..symbols import KernelSymbols


class LogError(Exception):
    """The log can't be read; the text says why."""


class Fields:
    """Where things of one kernel are, and what is there.

    VMCOREINFO is at hand and tells printk's structures, as makedumpfile and crash have it;
    symbols and types cost a few tenths of a second and are asked where it does not.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._info = parse(kernel.vmcoreinfo or b"")

    def symbol(self, *names: str) -> int | None:
        """Run-time address of the first known of ``names``."""
        for name in names:
            vaddr = self._info.symbol(name) or self.kernel.vaddr(name)
            if vaddr is not None:
                return vaddr
        return self._symbols.vaddr(*names) if self._symbols else None

    def told_offset(self, struct: str, member: str) -> bool:
        """Whether VMCOREINFO says where a member is."""
        return self._info.integer(f"OFFSET({struct}.{member})") is not None

    def offset(self, struct: str, member: str) -> int:
        """Bytes from the beginning of a structure to a member.

        Raises:
            LogError: neither VMCOREINFO nor the types tell.
        """
        told = self._info.integer(f"OFFSET({struct}.{member})")
        if told is None and self._types is not None:
            try:
                told = self._types.offset(struct, member)
            except TypesError as problem:
                raise LogError(f"the types are damaged: {problem}") from problem
        return self._usable(told, f"where {struct}.{member} is")

    def size(self, struct: str) -> int:
        """Bytes of a structure, at least one.

        Raises:
            LogError: neither VMCOREINFO nor the types tell.
        """
        told = self._info.integer(f"SIZE({struct})")
        if told is None and self._types is not None:
            try:
                told = self._types.sizeof(struct)
            except TypesError as problem:
                raise LogError(f"the types are damaged: {problem}") from problem
        return self._usable(told or None, f"how large {struct} is")

    def length(self, array: str, usual: int) -> int:
        """Elements of an array that VMCOREINFO names, else ``usual``."""
        told = self._info.integer(f"LENGTH({array})")
        return told if told is not None and 0 < told <= _MOST_OFFSET else usual

    def word(self, vaddr: int) -> int:
        """A ``long`` or pointer, unsigned.

        Raises:
            LogError: it is not in the dump.
        """
        return self.integer(vaddr, self.kernel.arch.word)

    def integer(self, vaddr: int, size: int) -> int:
        """An unsigned number of ``size`` bytes.

        Raises:
            LogError: it is not in the dump.
        """
        return self.number(self.bytes(vaddr, size))

    def number(self, raw: bytes) -> int:
        """The unsigned number that ``raw`` is, in the guest's byte order."""
        return int.from_bytes(raw, self.kernel.arch.byte_order)

    def bytes(self, vaddr: int, size: int) -> bytes:
        """Memory of the kernel.

        Raises:
            LogError: a part of it is not in the dump.
        """
        raw = self.kernel.read(vaddr, size)
        if raw is None:
            raise LogError(f"{size} bytes at {vaddr:#x} are not in the dump")
        return raw

    @staticmethod
    def _usable(told: int | None, what: str) -> int:
        if told is None:
            raise LogError(f"neither VMCOREINFO nor the kernel's types tell {what}")
        if not 0 <= told < _MOST_OFFSET:
            raise LogError(f"{told} can't be {what}")
        return told

    @cached_property
    def _symbols(self) -> KernelSymbols | None:
        from ..symbols import find_symbols

        return find_symbols(self.kernel)

    @cached_property
    def _types(self) -> Btf | None:
        from ..types import find_types

        try:
            return find_types(self.kernel, self._symbols) if self._symbols else None
        except TypesError:
            return None


_MOST_OFFSET = 1 << 16  # bytes: far more than any structure of printk's has
