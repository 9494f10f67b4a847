# SPDX-License-Identifier: GPL-3.0-or-later
"""The least ELF file that debuggers take debug information from."""

from __future__ import annotations

import struct
from pathlib import Path

from crashext.dumps.base import ByteOrder
from crashext.rebuild.dwarf import DebugInfo

TEXT = 0x10000000
_X86_64, _I386, _AARCH64, _S390, _PPC = 62, 3, 183, 22, 20
_MACHINES = {
    ("little", 8): _X86_64,
    ("little", 4): _I386,
    ("big", 8): _S390,
    ("big", 4): _PPC,
}


def write_elf(
    path: Path,
    info: DebugInfo,
    order: ByteOrder = "little",
    word: int = 8,
    text: tuple[int, int] = (TEXT, 0x100000),
) -> Path:
    """Write the sections and a .text at ``text`` (address and size) that takes no room."""
    mark = "<" if order == "little" else ">"
    bodies = {
        "": b"",
        ".text": b"",
        ".debug_info": b"".join(info.info),
        ".debug_abbrev": b"".join(info.abbrev),
        ".debug_str": b"".join(info.strings),
        ".shstrtab": b"",
    }
    names = "\0".join(bodies).encode() + b"\0"  # the first one is empty
    bodies[".shstrtab"] = names
    head = 64 if word == 8 else 52
    at, headers = head, b""
    for name, body in bodies.items():
        kind = {"": 0, ".text": 8, ".shstrtab": 3}.get(name, 1)
        flags = {".text": 6, ".debug_str": 0x30}.get(name, 0)
        vaddr, size = text if name == ".text" else (0, len(body))
        headers += struct.pack(
            mark + ("IIQQQQIIQQ" if word == 8 else "10I"),
            *(names.index(b"\0" + name.encode() + b"\0") + 1 if name else 0, kind, flags),
            *(vaddr, at, size, 0, 0, 1, int(name == ".debug_str")),
        )
        at += len(body)
    ident = b"\x7fELF" + bytes((word // 4, 1 if order == "little" else 2, 1)) + bytes(9)
    header = struct.pack(
        mark + ("HHIQQQIHHHHHH" if word == 8 else "HHIIIIIHHHHHH"),
        *(2, _MACHINES[order, word], 1, text[0], 0, at, 0, head, 0, 0),
        *(len(headers) // len(bodies), len(bodies), len(bodies) - 1),
    )
    path.write_bytes(b"".join((ident + header, *bodies.values(), headers)))
    return path
