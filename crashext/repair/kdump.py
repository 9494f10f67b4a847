# SPDX-License-Identifier: GPL-3.0-or-later
"""Mending a kdump: notes behind its end, and the few fields of its headers that lead there.

Field places: makedumpfile's ``diskdump_mod.h`` (``struct disk_dump_header``,
``struct kdump_sub_header``).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from ..dumps.base import ByteOrder
from ..dumps.kdump import KdumpDump
from ..dumps.kdump_types import Utsname
from ..errors import RepairError
from ..text import hex64
from .change import Change
from .headers import NO_UTSNAME, NOTES_MARGIN, Headers
from .overlay import Patch

_SINCE_NOTES = 4  # header_version
_UTSNAME, _UTSNAME_FIELD = 12, 65


class _Main(NamedTuple):
    """Offset and struct code of what is mended in the main header."""

    timestamp: tuple[int, str]
    nr_cpus: tuple[int, str]


class _Sub(NamedTuple):
    """Likewise in the sub-header, from its start."""

    phys_base: tuple[int, str]
    offset_vmcoreinfo: tuple[int, str]
    size_vmcoreinfo: tuple[int, str]
    offset_note: tuple[int, str]
    size_note: tuple[int, str]


_MAIN = {64: _Main((408, "2q"), (460, "I")), 32: _Main((404, "2i"), (448, "I"))}
_SUB = {
    "64-bit": _Sub((0, "Q"), (32, "q"), (40, "Q"), (48, "q"), (56, "Q")),
    "32-bit packed": _Sub((0, "I"), (20, "q"), (28, "I"), (32, "q"), (40, "I")),
    "32-bit padded": _Sub((0, "I"), (24, "q"), (32, "I"), (40, "q"), (48, "I")),
}


def mend(dump: KdumpDump, headers: Headers) -> tuple[list[Change], list[Patch]]:
    """What to change in the dump's image that it says what ``headers`` say.

    Raises:
        RepairError: its format can't say it: it has to be written anew.
    """
    if dump.header.header_version < _SINCE_NOTES:
        raise RepairError(
            f"a kdump of header version {dump.header.header_version} has no room for notes: "
            "write a new file (-o)"
        )
    if dump.byte_order != headers.byte_order:
        raise RepairError(
            f"all of its headers and page descriptors are {dump.byte_order}-endian, the guest is "
            f"{headers.byte_order}-endian: write a new file (-o)"
        )
    return _Mending(dump, headers).all()


class _Mending:
    """One dump's changes and patches, as they come together."""

    def __init__(self, dump: KdumpDump, headers: Headers) -> None:
        self._dump, self._headers, self._header = dump, headers, dump.header
        self._order: ByteOrder = dump.byte_order
        self._changes: list[Change] = []
        self._patches: list[Patch] = []

    def all(self) -> tuple[list[Change], list[Patch]]:
        self._main_header()
        self._phys_base()
        self._notes()
        return self._changes, self._patches

    def _put(self, offset: int, field: tuple[int, str], *values: int) -> None:
        mark = "<" if self._order == "little" else ">"
        self._patches.append(Patch(offset + field[0], struct.pack(mark + field[1], *values)))

    def _main_header(self) -> None:
        header, wanted, main = self._header, self._headers, _MAIN[self._header.bits]
        if wanted.utsname not in (NO_UTSNAME, header.utsname):
            old, new = _uname_text(header.utsname), _uname_text(wanted.utsname)
            why = "from the guest's init_uts_ns; libkdumpfile and makedumpfile refuse QEMU's"
            self._changes.append(Change("utsname", old, new, why))
            self._patches.append(Patch(_UTSNAME, _packed_uname(wanted.utsname)))
        if wanted.timestamp[0] and header.timestamp != wanted.timestamp:
            why = "the kernel's own time of its crash (CRASHTIME)"
            old, new = f"{header.timestamp[0]}", f"{wanted.timestamp[0]}"
            self._changes.append(Change("timestamp", old, new, why))
            self._put(0, main.timestamp, *wanted.timestamp)
        if wanted.nr_cpus and not header.nr_cpus:
            why = "so many vCPUs have notes"
            change = Change("nr_cpus", f"{header.nr_cpus}", f"{wanted.nr_cpus}", why)
            self._changes.append(change)
            self._put(0, main.nr_cpus, wanted.nr_cpus)

    def _phys_base(self) -> None:
        header, wanted = self._header, self._headers.phys_base
        mask = (1 << header.bits) - 1
        if wanted is None or wanted & mask == header.phys_base:
            return
        why = "where the kernel found lies; QEMU writes 0, a guess or a number misread"
        self._changes.append(
            Change("phys_base", hex64(header.phys_base), hex64(wanted & mask), why)
        )
        self._put(header.block_size, _SUB[header.layout].phys_base, wanted & mask)

    def _notes(self) -> None:
        """New notes go behind all else; where the old ones are right they stay."""
        header, source = self._header, self._dump.source
        area, text = self._headers.notes_area()
        offset, size = header.offset_note, header.size_note
        # The file says how large its notes are: no more is read than ours have.
        if size != len(area) or source.pread(offset, size) != area:
            offset = -(-source.size // 8) * 8
            self._patches.append(Patch(offset, area + bytes(NOTES_MARGIN)))
            self._point("offset_note", offset, "the notes with VMCOREINFO lie behind the end")
            self._point("size_note", len(area), "they are longer by VMCOREINFO")
        if text:
            why = "the VMCOREINFO text among the notes"
            self._point("offset_vmcoreinfo", offset + text.start, why)
            self._point("size_vmcoreinfo", len(text), why)

    def _point(self, name: str, value: int, why: str) -> None:
        old = getattr(self._header, name)
        if old == value:
            return
        self._changes.append(Change(name, hex64(old), hex64(value), why, layout=True))
        field: tuple[int, str] = getattr(_SUB[self._header.layout], name)
        self._put(self._header.block_size, field, value)


def _uname_text(names: Utsname) -> str:
    return " ".join(part for part in names if part)


def _packed_uname(names: Utsname) -> bytes:
    return b"".join(
        part.encode("ascii", "replace")[: _UTSNAME_FIELD - 1].ljust(_UTSNAME_FIELD, b"\0")
        for part in names
    )
