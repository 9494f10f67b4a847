# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a dump anew in a test, and comparing the memory of two, page for page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from crashext import CrashExtError, Dump, ExcludedPage
from crashext.dumps.intervals import close_up
from crashext.repair.headers import Headers, Mapping
from crashext.repair.write.elf_file import write_elf
from crashext.repair.write.kdump_file import write_kdump
from crashext.repair.write.sink import FileSink, FlatSink, Sink
from crashext.repair.write.written import Written

PAGE = 4096
CHUNK = 1 << 20


def headers_of(
    dump: Dump, page_size: int = 0, mappings: Sequence[Mapping] = (), phys_base: int = 0
) -> Headers:
    """What the dump says of itself."""
    bits = getattr(dump.header, "bits", 64)
    size = page_size or dump.page_size
    return Headers(
        dump.arch, dump.byte_order, bits, dump.notes, page_size=size, mappings=mappings,
        phys_base=phys_base,
    )  # fmt: skip


def write(
    dump: Dump, path: Path, to: str, headers: Headers | None = None, threads: int = 2
) -> Written:
    """Write ``dump`` to ``path`` as ``to``: elf or a compression; with -flat as a stream."""
    kind, _, flat = to.partition("-")
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        sink: Sink = FlatSink(fd) if flat else FileSink(fd)
        headers = headers or headers_of(dump)
        if kind == "elf":
            return write_elf(dump, headers, sink, threads=threads)
        return write_kdump(dump, headers, sink, compression=kind, threads=threads)
    finally:
        os.close(fd)


def page_of(dump: Dump, paddr: int, size: int = PAGE) -> bytes | str:
    """A page, or why there is none: "excluded" or "none"."""
    try:
        return dump.read(paddr, size)
    except ExcludedPage:
        return "excluded"
    except CrashExtError:
        return "none"


def assert_same_memory(one: Dump, other: Dump) -> int:
    """Every page of both is the same, existing and excluded ones too; how many have contents.

    What an index says of left out ranges is tried at some of their pages only.
    """
    block = max(one.page_size, other.page_size)
    assert [(r.start // block, -(-r.end // block)) for r in one.ram] == [
        (r.start // block, -(-r.end // block)) for r in other.ram
    ]
    assert left_out(one) == left_out(other)
    for start, end in left_out(one):
        for paddr in {*range(start, end, 1 << 22), end - PAGE}:
            assert page_of(one, paddr) == page_of(other, paddr) == "excluded"
    count = 0
    for start, end, kind in one.stretches():
        for paddr in range(start, end, CHUNK) if kind != "excluded" else ():
            size = min(CHUNK, end - paddr)
            assert one.read(paddr, size) == other.read(paddr, size), hex(paddr)
            count += -(-size // PAGE)
    return count


def left_out(dump: Dump) -> list[tuple[int, int]]:
    """The ranges that the dump says were left out."""
    return list(close_up((start, end) for start, end, kind in dump.stretches()
                         if kind == "excluded"))  # fmt: skip
