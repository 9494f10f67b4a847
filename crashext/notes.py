# SPDX-License-Identifier: GPL-3.0-or-later
"""Walking ELF notes, which both ELF cores and kdumps carry.

Framing: gABI "Note Section"; namesz, descsz and type are 32-bit words whatever the
ELF class. The kernel (include/linux/elfcore.h, fs/proc/vmcore.c) and QEMU
(``DEFINE_ELF_NOTE_SIZE`` of target/*/arch_dump.c) pad name and desc to 4 bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .dumps.base import ByteOrder, Note

NT_PRSTATUS = 1

REPAIR_NOTE = "CRASHEXT"
"""By which a dump that was repaired says so. (crash takes each note whose name begins with
QEMU for a vCPU's.)"""

MOST_NOTES = 1 << 17
"""Thrice what the largest guest of QEMU gives (4096 vCPUs, s390x)."""

NOTE_SIZE = 320
"""Bytes of memory that a note takes besides its descriptor."""

_MAX_NAME = 256  # bytes; the longest that anybody writes has 16

# sizeof(struct elf_prstatus) tells the architecture; 336 is s390x as well, which is big-endian.
_PRSTATUS_SIZE = {
    ("little", 336): "x86_64",
    ("little", 144): "i386",
    ("little", 392): "aarch64",
    ("little", 148): "arm",
    ("little", 376): "riscv64",
    ("little", 204): "riscv32",
    ("little", 480): "loongarch64",
    ("little", 504): "ppc64le",
    ("big", 504): "ppc64",
    ("big", 268): "ppc",
    ("big", 336): "s390x",
    ("big", 392): "aarch64",
    ("big", 148): "arm",
}


def walk_notes(
    data: bytes, byte_order: ByteOrder, offset: int = 0, align: int = 4, most: int = MOST_NOTES
) -> tuple[Note, ...]:
    """The notes in ``data``, which lies at ``offset`` of its file.

    ``align`` is 8 where the segment's p_align says so (gABI), else 4. An all-zero
    header ends the list, as the kernel's ``final_note`` does; so does a note that
    goes beyond the data, or whose name is absurdly long, and the ``most``-th. Never
    raises: what can't be a note isn't one.
    """
    from .dumps.base import Note

    header = struct.Struct("<3I" if byte_order == "little" else ">3I")
    notes: list[Note] = []
    at = 0
    while at + 12 <= len(data) and len(notes) < most:
        namesz, descsz, kind = header.unpack_from(data, at)
        desc = at + _padded(12 + namesz, align)
        end = desc + descsz
        if end > len(data) or namesz > _MAX_NAME or not (namesz or descsz or kind):
            break
        name = data[at + 12 : at + 12 + namesz].split(b"\0", 1)[0]
        notes.append(
            Note(name.decode("ascii", "backslashreplace"), kind, data[desc:end], offset + at)
        )
        at = desc + _padded(descsz, align)
    return tuple(notes)


def packed(name: str, kind: int, desc: bytes, byte_order: ByteOrder) -> bytes:
    """A note as it lies in a file: its header, name and descriptor, each padded to 4."""
    header = struct.Struct("<3I" if byte_order == "little" else ">3I")
    raw_name = name.encode("ascii", "replace") + b"\0"
    parts = header.pack(len(raw_name), len(desc), kind) + raw_name
    return parts.ljust(_padded(len(parts), 4), b"\0") + desc.ljust(_padded(len(desc), 4), b"\0")


def _padded(size: int, align: int) -> int:
    return (size + align - 1) & -align


def note_named(notes: Iterable[Note], name: str) -> Note | None:
    """The first note of that name."""
    return next((note for note in notes if note.name == name), None)


def repair_facts(notes: Iterable[Note]) -> dict[str, str]:
    """What the note of a repair says, key to value; empty where there is none."""
    note = note_named(notes, REPAIR_NOTE)
    text = b"" if note is None else note.desc[:4096]
    lines = (line.partition("=") for line in text.decode("ascii", "replace").splitlines())
    return {key: value for key, equals, value in lines if equals}


def arch_of_notes(notes: Iterable[Note], byte_order: ByteOrder) -> str | None:
    """The architecture that the size of the first NT_PRSTATUS tells, or None."""
    for note in notes:
        if note.type == NT_PRSTATUS and note.name == "CORE":
            return _PRSTATUS_SIZE.get((byte_order, len(note.desc)))
    return None
