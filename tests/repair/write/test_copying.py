# SPDX-License-Identifier: GPL-3.0-or-later
"""Copying a file as it is, and a flattened one made plain."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crashext.dumps import flattened
from crashext.dumps.flattened import FlattenedSource
from crashext.dumps.source import FileSource
from crashext.errors import CorruptDump, CrashExtError
from crashext.repair.write.copying import copy_file, plain_of
from crashext.repair.write.sink import FileSink
from tests.dumps.writers.flat_writer import flatten, records


def sparse(path: Path) -> Path:
    with path.open("wb") as file:
        file.write(os.urandom(100_000))
        file.seek(8 << 20)
        file.write(os.urandom(300_001))
        file.truncate(20 << 20)
        os.fsync(file.fileno())
    return path


def copied(source: Path, out: Path) -> tuple[int, list[float]]:
    told: list[float] = []
    with source.open("rb") as reading, out.open("w+b") as writing:
        result = copy_file(reading.fileno(), writing.fileno(), told.append)
    return result.bytes_written, told


@pytest.mark.parametrize("kernel", [True, False], ids=["in the kernel", "read and written"])
def test_a_copy_has_the_same_bytes_and_holes(
    tmp_path: Path, kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kernel:

        def refused(*_: object) -> int:
            raise OSError(18, "Invalid cross-device link")

        monkeypatch.setattr(os, "copy_file_range", refused)
    source, out = sparse(tmp_path / "in"), tmp_path / "out"
    written, told = copied(source, out)
    assert out.read_bytes() == source.read_bytes()
    os.sync()
    assert out.stat().st_blocks <= source.stat().st_blocks + 16
    assert written in (0, *range(400_001, 450_000))
    assert told == sorted(told) and all(0 < part <= 1 for part in told)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    source = sparse(tmp_path / "in")
    with source.open("rb") as reading, Path("/dev/full").open("r+b", buffering=0) as full:  # noqa: SIM117
        with pytest.raises(OSError):
            copy_file(reading.fileno(), full.fileno())


def test_flattened_becomes_plain(tmp_path: Path) -> None:
    image = bytearray(os.urandom(3 << 20))
    image[1 << 20 : 2 << 20] = bytes(1 << 20)
    parts = [(at, data) for at, data in records(bytes(image)) if any(data)]
    parts += [(5000, b"later records win"), ((9 << 20) - 5, b"last!")]
    (tmp_path / "in").write_bytes(flatten(reversed(parts[:-2]))[:-16] + flatten(parts[-2:])[4096:])
    image[5000:5017] = b"later records win"
    source = FlattenedSource(FileSource(str(tmp_path / "in")))
    with (tmp_path / "out").open("w+b") as out:
        written = plain_of(source, FileSink(out.fileno()))
    assert (tmp_path / "out").read_bytes() == (
        bytes(image) + bytes((6 << 20) - 5) + b"last!"
    )  # fmt: skip
    assert written.bytes_written < (2 << 20) + 10_000


def test_records_larger_and_smaller_than_what_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = os.urandom(100_000)
    parts = [(0, image[:50_000]), (50_000, b""), *((n, image[n : n + 16]) for n in
             range(50_000, 99_984, 16)), (99_984, image[99_984:])]  # fmt: skip
    (tmp_path / "in").write_bytes(flatten(parts))
    source = FlattenedSource(FileSource(str(tmp_path / "in")))
    for size in (1 << 22, 5000, 1001, 40, 17):
        monkeypatch.setattr(flattened, "_BULK", size)
        with (tmp_path / "out").open("w+b") as out:
            assert plain_of(source, FileSink(out.fileno())).bytes_written == len(image)
        assert (tmp_path / "out").read_bytes() == image


def test_a_cut_off_stream_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(flatten(records(os.urandom(1 << 20)))[:-5000])
    source = FlattenedSource(FileSource(str(tmp_path / "in")))
    with (
        (tmp_path / "out").open("w+b") as out,
        pytest.raises(CorruptDump, match="the stream is cut off"),
    ):
        plain_of(source, FileSink(out.fileno()))


def test_a_file_that_shrinks_is_told(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(flatten(records(os.urandom(1 << 21))))
    source = FlattenedSource(FileSource(str(tmp_path / "in")))
    os.truncate(tmp_path / "in", 1 << 20)
    with (tmp_path / "out").open("w+b") as out, pytest.raises(CrashExtError):
        plain_of(source, FileSink(out.fileno()))
