# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers against models so plain that they can't be wrong: a byte array, a dict of pages."""

from __future__ import annotations

import random
import struct
from itertools import pairwise
from pathlib import Path

from crashext import MissingMemory, open_dump
from crashext.dumps.flattened import FlattenedSource
from crashext.dumps.source import FileSource
from tests.dumps.writers.elf_writer import Elf, Load
from tests.dumps.writers.flat_writer import END, HEADER
from tests.dumps.writers.kdump_writer import Kdump

_READS = 12


def flattened(chance: random.Random, path: Path) -> None:
    """Records of any order and size, over one another and with holes between."""
    image, out, at = bytearray(), bytearray(HEADER), 0
    step = chance.choice((1, 7, 64, 500))
    for _ in range(chance.randrange(1, 40)):
        size = step if chance.random() < 0.7 else chance.randrange(200)
        data = chance.randbytes(size)
        at = at if chance.random() < 0.7 else chance.randrange(2000)
        out += struct.pack(">qq", at, size) + data
        if size:
            image += bytes(max(at + size - len(image), 0))
            image[at : at + size] = data
        at += size
    path.write_bytes(bytes(out + END))
    source = FlattenedSource(FileSource(str(path)))
    assert source.size == len(image)
    for _ in range(_READS):
        start, size = chance.randrange(len(image) + 50), chance.randrange(1500)
        assert source.pread(start, size) == image[start : start + size], (start, size)
    for start, end in source.data(0, len(image)):
        image[start:end] = bytes(end - start)
    assert not any(image)
    source.close()


def elf(chance: random.Random, path: Path) -> None:
    """Segments over one another (the later wins), with parts that are not in the file."""
    loads: list[Load] = []
    memory: dict[int, int] = {}
    for _ in range(chance.randrange(1, 9)):
        paddr, size = chance.randrange(3000), chance.randrange(900)
        shared = chance.randrange(len(loads)) if loads and chance.random() < 0.2 else None
        data = chance.randbytes(size) if shared is None else loads[shared].data
        loads.append(Load(paddr, data, memsz=len(data) + chance.randrange(300), shares=shared))
        memory |= dict(enumerate(data, paddr))
    bits, order = chance.choice(((64, "little"), (32, "big"), (64, "big"), (32, "little")))
    path.write_bytes(Elf(loads, bits, order, 62).write())
    with open_dump(path) as dump:
        described = {n for load in loads for n in range(load.paddr, load.paddr + (load.memsz or 0))}
        assert {n for start, end in dump.ram for n in range(start, end)} == described
        for _ in range(_READS):
            paddr, size = chance.randrange(4500), chance.randrange(1200)
            wanted = [memory.get(n) for n in range(paddr, paddr + size)]
            try:
                found = dump.read(paddr, size)
            except MissingMemory as error:
                assert wanted and error.paddr == paddr + wanted.index(None)
            else:
                assert list(found) == wanted


def split(chance: random.Random, path: Path) -> None:
    """Pages of a set whose parts end anywhere, some excluded, perhaps a part not given."""
    pages = {
        n: chance.randbytes(8) * 128 for n in chance.sample(range(60), chance.randrange(1, 40))
    }
    excluded = frozenset(chance.sample(range(60), 5)) - pages.keys()
    last = max((*pages, *excluded)) + 1
    bounds = sorted({0, last, *chance.sample(range(last + 1), min(last, 3))})
    paths, given = [], list(pairwise(bounds))
    chance.shuffle(given)
    given = given[: max(1, len(given) - chance.choice((0, 0, 1)))]
    for number, part in enumerate(given):
        paths.append(path.with_name(f"part{number}"))
        spec = Kdump(pages, excluded, part=part, block_size=1024,
                     codec=chance.choice(("none", "zlib")))  # fmt: skip
        paths[-1].write_bytes(spec.write())
    there = {n for start, end in given for n in range(start, end)} & pages.keys()
    with open_dump(*paths) as dump:
        for _ in range(_READS):
            paddr, size = chance.randrange(62 << 10), chance.randrange(1, 6000)
            frames = range(paddr >> 10, (paddr + size - 1 >> 10) + 1)
            missing = [n for n in frames if n not in there]
            try:
                found = dump.read(paddr, size)
            except MissingMemory as error:
                assert missing and error.paddr >> 10 == missing[0]
            else:
                whole = b"".join(pages[n] for n in frames)
                assert not missing and found == whole[paddr & 1023 :][:size]


MODELS = {"flattened-model": flattened, "elf-model": elf, "split-model": split}
