# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut a capture down: all of QEMU's own bytes stay, most of the guest's pages become zeros.

The result is a .zst file of frames, which is read in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from crashext import open_dump
from crashext.dumps.libvirt import stream_of
from crashext.dumps.qevm import QevmDump
from crashext.dumps.qevm_pages import DELTA, FILLED, PACKED
from crashext.dumps.qevm_stream import walk
from crashext.dumps.source import FileSource, Source

from .cut import variables
from .errors import LabError
from .recorder import PAGE, touched_pages

_FRAME = 2 << 20
_LEVEL = 19


def cut_capture(source: Path, vmlinux: Path, stand_in: Path, out: Path) -> int:
    """Write the cut capture to ``out``; return its size.

    Args:
        source: a migration stream, perhaps behind libvirt's header.
        vmlinux: of the kernel in it, and the small ``stand_in`` that it will be searched with.
    """
    import zstandard

    with open_dump(str(source)) as dump:
        if not isinstance(dump, QevmDump):
            raise LabError(f"{source}: this is no migration stream")
        wanted = touched_pages(dump, [stand_in]) | variables(dump, vmlinux)
        kept = {dump._entry(paddr) for paddr in wanted if _is_ram(dump, paddr)}
    data = bytearray(source.read_bytes())
    for place in _pages(source):
        if place not in kept:
            start = place + _stream(FileSource(str(source))).start
            data[start : start + PAGE] = bytes(PAGE)
    packer = zstandard.ZstdCompressor(level=_LEVEL)
    frames = (packer.compress(data[at : at + _FRAME]) for at in range(0, len(data), _FRAME))
    out.write_bytes(b"".join(frames))
    return out.stat().st_size


def _is_ram(dump: QevmDump, paddr: int) -> bool:
    return any(start <= paddr < end for start, end in dump.ram)


def _stream(source: Source) -> Source:
    return source if source.pread(0, 4) == b"QEVM" else stream_of(source)


def _pages(path: Path) -> Iterator[int]:
    """Where in the stream each page is that was sent as it is, and that no difference changed."""
    stream = walk(_stream(FileSource(str(path))))
    for block in stream.blocks.values():
        for _, entry in block.pages.items(0, len(block.pages)):
            if not entry & (DELTA | FILLED | PACKED):
                yield entry
