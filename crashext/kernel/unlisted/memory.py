# SPDX-License-Identifier: GPL-3.0-or-later
"""Members of structures in a kernel's memory, by BTF's names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

from ...errors import TypesError
from ...symbols.btf import Btf, Kind
from ..kernel import Kernel

_MOST_DATA = 32 << 20
_MOST_NAME = 64


class Structures:
    """What a kernel's structures hold.

    Attributes:
        last_per_cpu: the end of the last per-CPU variable with a type, where that is known.
    """

    def __init__(self, kernel: Kernel, btf: Btf, vaddr: Callable[..., int | None]) -> None:
        """``vaddr`` tells the run-time address of the first known of some names."""
        self.kernel, self.btf, self.vaddr = kernel, btf, vaddr
        self.word = kernel.arch.word
        self.last_per_cpu: int | None = None

    def offset(self, struct: str, path: str) -> int | None:
        """Of a member; None where BTF has none, or is damaged there."""
        try:
            return self.btf.offset(struct, path)
        except TypesError:
            return None

    def pointer(self, vaddr: int | None) -> int | None:
        """The word there."""
        raw = None if vaddr is None else self.kernel.read(vaddr, self.word)
        return None if raw is None else int.from_bytes(raw, self.kernel.arch.byte_order)

    def member(self, vaddr: int | None, struct: str, path: str) -> int | None:
        """The word in a member of the structure at ``vaddr``."""
        offset = self.offset(struct, path)
        return None if vaddr is None or offset is None else self.pointer(vaddr + offset)

    def integer(self, vaddr: int, size: int) -> int | None:
        """The number of ``size`` bytes there."""
        raw = self.kernel.read(vaddr, size)
        return None if raw is None else int.from_bytes(raw, self.kernel.arch.byte_order)

    def number(self, vaddr: int, struct: str, path: str, size: int) -> int | None:
        """A member of ``size`` bytes."""
        offset = self.offset(struct, path)
        return None if offset is None else self.integer(vaddr + offset, size)

    def name(self, vaddr: int | None, struct: str, member: str) -> str:
        """The text in a member, or that it points to; empty where there is none."""
        offset = self.offset(struct, member)
        if vaddr is None or offset is None:
            return ""
        at = vaddr + offset
        return self.text(self.pointer(at) if self._is_pointer(struct, member) else at, _MOST_NAME)

    def _is_pointer(self, struct: str, member: str) -> bool:
        try:
            found = self.btf.find(struct, Kind.STRUCT)
            of = [] if found is None else self.btf.type(found).members
            kinds = (self.btf.type(m.type_id).kind for m in of if m.name == member)
            return next(kinds, None) == Kind.PTR
        except TypesError:
            return False

    def text(self, vaddr: int | None, most: int) -> str:
        """The text there, as far as it is ASCII."""
        raw = b"" if not vaddr else self.kernel.read(vaddr, most) or b""
        return raw.partition(b"\0")[0].decode("ascii", "replace")

    def holders(self, value: int) -> Iterator[int]:
        """Where in the image's writable memory a word has that value."""
        text = value.to_bytes(self.word, self.kernel.arch.byte_order)
        for start, block in self._data:
            at = block.find(text)
            while at >= 0:
                if at % self.word == 0:
                    yield start + at
                at = block.find(text, at + 1)

    @cached_property
    def _data(self) -> list[tuple[int, bytearray]]:
        """Copies of it; a word lies in one of them as a whole."""
        runs = [run for run in self.kernel.runs if run.writable]
        return [(r.vaddr, self.kernel.copy(r.vaddr, min(r.size, _MOST_DATA))) for r in runs]
