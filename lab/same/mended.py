# SPDX-License-Identifier: GPL-3.0-or-later
"""A debug vmlinux with ``struct pid`` as crash before 8.0.4 understands it.

Kernels from 6.5 on, and stable ones before, have a flexible array ``numbers[]`` at the end of
``struct pid``. Such a crash takes it for nothing, finds next to no task (mended by crash's commit
8858006), and most of what it can be asked stays unasked. Here ``numbers`` is one ``struct upid``,
and the structure is as much longer.
"""

from __future__ import annotations

import mmap
import re
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import LabError

_REF4 = struct.Struct("<I")
#: From a member's name (strp) to its type: decl_file of one to three bytes, decl_line, decl_column.
_DISTANCES = (7, 8, 9)
#: Bytes from the name of ``struct pid`` to that of its last member, at most.
_NEAR = 300
_UPID_SIZE = 16


def mend(vmlinux: Path, out: Path) -> int:
    """Copy ``vmlinux`` to ``out`` with that change; returns in how many compile units it is.

    Raises:
        LabError: no ``struct pid`` with such an array was found.
    """
    from elftools.elf.elffile import ELFFile

    shutil.copyfile(vmlinux, out)
    with out.open("r+b") as file:
        elf = ELFFile(file)
        info, strings = (_place(elf.get_section_by_name(n)) for n in (".debug_info", ".debug_str"))
        with mmap.mmap(file.fileno(), 0) as data:
            names = {name: _offsets(data, strings, name) for name in (b"numbers", b"upid")}
            patches = list(_Mender(data, info, names).patches())
            for place, new in patches:
                data[place : place + len(new)] = new
    if not patches:
        raise LabError(f"{vmlinux.name}: no struct pid with a flexible array was found")
    return len(patches) // 2


def _place(section: Any) -> slice:
    if section is None:
        raise LabError("no debug information")
    return slice(section["sh_offset"], section["sh_offset"] + section["sh_size"])


def _offsets(data: mmap.mmap, strings: slice, text: bytes) -> frozenset[bytes]:
    """What a string may be written as: linkers let a string be the end of another."""
    found = re.finditer(re.escape(text) + b"\0", data[strings])
    return frozenset(_REF4.pack(match.start()) for match in found)


@dataclass
class _Mender:
    data: mmap.mmap
    info: slice
    names: dict[bytes, frozenset[bytes]]

    def patches(self) -> Iterator[tuple[int, bytes]]:
        """Where a member's type or a structure's size is written, and what is to be there."""
        wanted = re.compile(b"|".join(map(re.escape, self.names[b"numbers"])))
        for unit, end in self._units():
            for found in wanted.finditer(self.data, unit, end):
                yield from self._of_member(found.start(), unit)

    def _of_member(self, member: int, unit: int) -> Iterator[tuple[int, bytes]]:
        for place in (member + distance for distance in _DISTANCES):
            element = self._element(unit, self._at(place))
            size = self.data[place + 4]  # the member's offset is where the structure ended
            if element is not None and (at := self._size_of_pid(member, size)):
                yield place, element
                yield at, bytes([size + _UPID_SIZE])
                return

    def _element(self, unit: int, reference: int) -> bytes | None:
        """The reference to the element of the array_type at ``reference``, if that is upid."""
        for code in (1, 2):  # bytes of the abbreviation's code, a ULEB128
            place = unit + reference + code
            if place + 4 > self.info.stop:
                return None
            element = unit + self._at(place)
            if any(self.data[element + n : element + n + 4] in self.names[b"upid"] for n in (1, 2)):
                return self.data[place : place + 4]
        return None

    def _size_of_pid(self, member: int, size: int) -> int | None:
        """Where the byte_size of the structure before a member is written."""
        for place in range(member - 4, member - _NEAR, -1):
            # A string of so few bytes stands where it is used.
            if self.data[place] == size and self.data[place - 4 : place] == b"pid\0":
                return place
        return None

    def _units(self) -> Iterator[tuple[int, int]]:
        """Start and end of each unit; 32-bit DWARF."""
        at = self.info.start
        while at < self.info.stop:
            end = at + 4 + self._at(at)
            yield at, end
            at = end

    def _at(self, place: int) -> int:
        if place + 4 > self.info.stop:
            return 0
        return int(_REF4.unpack_from(self.data, place)[0])
