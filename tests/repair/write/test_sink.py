# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the bytes go: holes, records, full disks and readers that go away."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from crashext.dumps.flattened import FlattenedSource
from crashext.dumps.source import FileSource
from crashext.repair.write.sink import FileSink, FlatSink, Sink

PARTS = [
    (0, b"head" * 100),
    (4096 * 3 + 10, bytes(4096 * 5)),
    (1 << 20, b"\0" * 4096 + b"data".ljust(4096, b".") + bytes(8192) + b"end"),
    ((1 << 20) + 4096 + 1, b"ATA"),
    (5 << 20, os.urandom(1 << 19)),
]
SIZE = 6 << 20


def fill(sink: Sink) -> None:
    for offset, data in PARTS:
        sink.write(offset, data)
    sink.finish(SIZE)


def image() -> bytes:
    data = bytearray(SIZE)
    for offset, part in PARTS:
        data[offset : offset + len(part)] = part
    return bytes(data)


def opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def test_file_has_the_bytes_and_holes_for_zeros(tmp_path: Path) -> None:
    path = tmp_path / "file"
    sink = FileSink(opened(path))
    fill(sink)
    assert path.read_bytes() == image()
    os.sync()
    assert path.stat().st_blocks * 512 < SIZE // 4
    # The head, the tail of it that isn't whole blocks of zeros, and the random part.
    assert (1 << 19) + 400 < sink.written < (1 << 19) + 5 * 4096


def test_flattened_stream_holds_the_same_image(tmp_path: Path) -> None:
    path = tmp_path / "flat"
    fd = opened(path)
    sink = FlatSink(fd)
    fill(sink)
    assert path.stat().st_size == sink.written
    assert path.read_bytes()[:32] == b"makedumpfile\0\0\0\0" + b"\0\0\0\0\0\0\0\1" * 2
    assert path.read_bytes().endswith(b"\xff" * 16)
    source = FlattenedSource(FileSource(str(path)))
    assert source.complete and source.size == SIZE
    assert source.pread(0, SIZE) == image()


def test_flattened_stream_goes_through_a_pipe(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    chunks: list[bytes] = []

    def drain() -> None:
        while chunk := os.read(reading, 5000):
            chunks.append(chunk)

    thread = threading.Thread(target=drain)
    thread.start()
    fill(FlatSink(writing))
    os.close(writing)
    thread.join()
    os.close(reading)
    path = tmp_path / "flat"
    path.write_bytes(b"".join(chunks))
    assert FlattenedSource(FileSource(str(path))).pread(0, SIZE) == image()


def test_image_that_ends_in_a_hole_keeps_its_size(tmp_path: Path) -> None:
    for name, kind in (("file", FileSink), ("flat", FlatSink)):
        path = tmp_path / name
        sink: Sink = kind(opened(path))
        sink.write(0, b"x" * 4096 + bytes(4096))
        sink.finish(8192)
        source = FileSource(str(path))
        assert (source if name == "file" else FlattenedSource(source)).size == 8192


def test_full_disk_and_lost_reader_are_os_errors() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError) as caught:
        FileSink(full).write(0, b"x" * 10)
    assert caught.value.errno == errno.ENOSPC
    os.close(full)
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        FlatSink(writing)
    os.close(writing)
