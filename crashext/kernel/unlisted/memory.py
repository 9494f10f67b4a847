# SPDX-License-Identifier: GPL-3.0-or-later
"""Members of structures in a kernel's memory, by BTF's names."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from ...errors import TypesError
from ...symbols.btf import Btf
from ..kernel import Kernel

_MOST_DATA = 32 << 20


class Structures:
    """What a kernel's structures hold."""

    def __init__(self, kernel: Kernel, btf: Btf) -> None:
        self.kernel, self.btf = kernel, btf
        self.word = kernel.arch.word

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

    def number(self, vaddr: int, struct: str, path: str, size: int) -> int | None:
        """A member of ``size`` bytes."""
        offset = self.offset(struct, path)
        raw = None if offset is None else self.kernel.read(vaddr + offset, size)
        return None if raw is None else int.from_bytes(raw, self.kernel.arch.byte_order)

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
