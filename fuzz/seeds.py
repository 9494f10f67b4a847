# SPDX-License-Identifier: GPL-3.0-or-later
"""Small valid files of every format, from which the fuzzing starts."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct

from tests.dumps.test_wrapped import xz_blocks, zstd_frames
from tests.dumps.writers.elf_writer import Elf, Load
from tests.dumps.writers.flat_writer import flatten, records
from tests.dumps.writers.kdump_writer import Kdump
from tests.dumps.writers.lime_writer import avml, lime
from tests.dumps.writers.notes import note, qemu_notes
from tests.dumps.writers.qevm_writer import Qevm


def _page(number: int) -> bytes:
    return (b"page %08d " % number).ljust(128, b".") * 32


PAGES = {number: _page(number) for number in (0, 1, 2, 7)} | {5: bytes(4096)}
NOTES = qemu_notes(1) + note(b"VMCOREINFO", 0, b"OSRELEASE=6.1\n")
LOADS = [Load(number * 4096, data) for number, data in PAGES.items()]
BLOCKS = {"pc.ram": PAGES}
_KDUMP = Kdump(PAGES, notes=NOTES).write()
_ELF = Elf(LOADS, notes=NOTES).write()
_STREAM = Qevm([BLOCKS, BLOCKS], {"pc.ram": 8 * 4096}).write()
_RANGES = [(0, PAGES[0]), (4096, PAGES[1]), (1 << 32, PAGES[2])]
_SAVE = struct.pack("<16s5I", b"LibvirtQemudSave", 2, 100, 1, 0, 0).ljust(192, b"\0")

SEEDS: dict[str, tuple[bytes, ...]] = {
    "kdump": tuple(
        Kdump(PAGES, frozenset({9}), codec=codec, notes=NOTES).write()
        for codec in ("none", "zlib", "lzo", "snappy", "zstd")
    )
    + tuple(
        Kdump(PAGES, bits=bits, order=order, version=version).write()
        for bits, order, version in ((32, "big", 6), (32, "little", 3), (64, "big", 1))
    ),
    "flattened": (flatten(records(_KDUMP, 3000)), flatten(reversed(records(_KDUMP, 5000)))),
    "elf": (_ELF, Elf(LOADS, 32, "big", 40, notes=NOTES, sections=False).write()),
    "qevm": (_STREAM, _SAVE + _STREAM, Qevm([BLOCKS, {"pc.ram": {0: PAGES[1]}}],
             {"pc.ram": 8 * 4096}, xbzrle=True).write()),
    "lime": (lime(_RANGES),),
    "avml": (avml(_RANGES),),
    "wrapped": (
        gzip.compress(_ELF), bz2.compress(_ELF), lzma.compress(_KDUMP),
        xz_blocks(_ELF), zstd_frames(_KDUMP),
    ),
}  # fmt: skip
