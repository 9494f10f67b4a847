# SPDX-License-Identifier: GPL-3.0-or-later
"""Compressed files that unpack to far more than a dump's: refused, asked about, allowed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from crashext import OverBudget, UnreadableDump, UnsupportedDump, open_dump
from crashext.cli.progress import Progress
from crashext.dumps.storage import Storage
from tests.cost import assert_cheap, cost

from .conftest import page
from .test_wrapped import xz_blocks, zstd_stream
from .writers import hostile
from .writers.elf_writer import Elf, Load
from .writers.kdump_writer import Kdump
from .writers.notes import qemu_notes

ELF = Elf([Load(0, page(1))], notes=qemu_notes()).write()
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd_stream,
}  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "qemufix"


def on_disk(folder: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in folder.iterdir())


def repeated(head: bytes, block: bytes, times: int) -> bytes:
    """A .zst of ``head``, then of ``block`` ``times`` over: 4 bytes where it is of one byte."""
    raw = struct.pack("<I", len(head) << 3)[:3] + head
    size = len(block)
    run = struct.pack("<I", size << 3 | 1 << 1)[:3] + block[:1]
    end = struct.pack("<I", 1)[:3]
    return b"\x28\xb5\x2f\xfd" + b"\x00\x58" + raw + run * times + end


@pytest.mark.parametrize(("byte", "blocks"), [(b"x", 50_000), (b"\0", 200_000)])
def test_a_bomb_of_one_byte(tmp_path: Path, cache: Path, byte: bytes, blocks: int) -> None:
    """6 GB out of 200 KB: written as it is, or as holes that take time alone."""
    path = tmp_path / "bomb"
    path.write_bytes(repeated(ELF, byte * (1 << 17), blocks))
    taken = assert_cheap(path, "detect", allowed=(3,))
    assert "of --max-unpacked allow; the file has" in taken.err
    assert list(cache.iterdir()) == []


def test_no_system_call_for_every_header(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were half of the work."""
    path, calls, pread = tmp_path / "bomb", 0, os.pread

    def counted(fd: int, size: int, offset: int) -> bytes:
        nonlocal calls
        calls += 1
        return pread(fd, size, offset)

    path.write_bytes(repeated(ELF, bytes(1 << 17), 200_000))
    monkeypatch.setattr(os, "pread", counted)
    with pytest.raises(OverBudget):
        open_dump(path)
    assert calls < 1000


@pytest.mark.parametrize("name", PACKERS)
def test_bombs_in_every_packing(tmp_path: Path, cache: Path, name: str) -> None:
    """200 MiB in few bytes, which an option lets pass."""
    path = tmp_path / "bomb"
    path.write_bytes(PACKERS[name](ELF + b"x" * (200 << 20)))
    assert "--max-unpacked" in assert_cheap(path, "detect", allowed=(3,)).err
    assert cost("detect", "--max-unpacked", "1G", path).status == 0
    assert len(list(cache.glob("*.whole"))) == 1


def test_honest_memory_is_no_bomb(tmp_path: Path, cache: Path) -> None:
    """A guest of 2 GiB with 2 MiB in use."""
    used = random.Random(1).randbytes(1 << 16) + b"kernel text and data " * 300
    image = hostile.elf([(4096, 0, 2 << 30, 2 << 30)]).ljust(4096, b"\0") + used * 30
    path = tmp_path / "zst"
    parts = [image[at : at + 100_000] for at in range(0, len(image), 100_000)]
    frames = [zstandard.compress(part) for part in parts]
    path.write_bytes(b"".join(frames) + repeated(b"", bytes(1 << 17), 1 << 14))
    with open_dump(path) as dump:
        assert dump.read(len(used), 4096) == used[:4096]
        assert dump.read(1 << 30, 4096) == bytes(4096)
    assert on_disk(cache) < 16 << 20


def test_a_person_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(repeated(ELF, b"x" * (1 << 17), 1500))
    questions: list[str] = []

    def ask(question: str) -> bool:
        questions.append(question)
        return len(questions) > 1

    with pytest.raises(OverBudget, match="--max-unpacked"):
        open_dump(path, ask=ask)
    with open_dump(path, ask=ask) as dump:
        assert dump.read(0, 4096) == page(1)
    assert len(questions) == 2 and str(path) in questions[0] and questions[0].endswith("Go on?")


def test_nobody_is_asked_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert Progress(io.StringIO()).ask is None
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert Progress(Terminal()).ask is None
    for said, answer in (("y\n", True), ("Yes\n", True), ("\n", False), ("", False)):
        monkeypatch.setattr("sys.stdin", Terminal(said))
        screen = Terminal()
        ask = Progress(screen).ask
        assert ask is not None and ask("a\x1b[2J file?") is answer
        assert "\x1b" not in screen.getvalue() and "[y/N]" in screen.getvalue()


def test_the_disk_is_not_filled(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Storage, "free", lambda self: 1 << 20)
    path = tmp_path / "gz"
    path.write_bytes(gzip.compress(Elf([Load(0, random.Random(1).randbytes(2 << 20))]).write()))
    with pytest.raises(UnreadableDump, match=r"no room.*XDG_CACHE_HOME"):
        open_dump(path, max_unpacked=1 << 40, ask=lambda question: True)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("depth", [4, 1100])
def test_nested_deeply(tmp_path: Path, cache: Path, depth: int) -> None:
    data = ELF
    for _ in range(depth):
        data = gzip.compress(data, 1)
    path = tmp_path / "gz"
    path.write_bytes(data)
    with pytest.raises(UnsupportedDump, match="containers"):
        open_dump(path, format="raw")
    assert len(list(cache.glob("*.whole"))) <= 4


def test_an_inner_stream_as_long_as_the_file(tmp_path: Path) -> None:
    """The two levels must not be taken for one another in the cache."""
    inner = gzip.compress(random.Random(1).randbytes(5000), 1)
    for length in range(500):  # a header's file name, which compresses, makes up for it
        longer = inner[:3] + b"\x08" + inner[4:10] + b"n" * length + b"\0" + inner[10:]
        outer = gzip.compress(longer, 1)
        if len(outer) == len(longer):
            break
    assert len(outer) == len(longer)
    path = tmp_path / "gz"
    path.write_bytes(outer)
    for _ in range(2):
        with open_dump(path, format="raw") as dump:
            assert dump.read(0, 5000) == random.Random(1).randbytes(5000)


def test_a_large_dictionary(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]
    path = tmp_path / "xz"
    path.write_bytes(lzma.compress(ELF, filters=filters))
    taken = assert_cheap(path, "detect", allowed=(3,))
    assert "of --max-memory allow" in taken.err
    blocks = xz_blocks(ELF * 200)
    path.write_bytes(blocks)
    assert_cheap(path, "detect")


def test_a_large_window(tmp_path: Path) -> None:
    packer = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=30)
    )
    stream = packer.compressobj()
    path = tmp_path / "zst"
    path.write_bytes(stream.compress(ELF) + stream.flush())
    taken = assert_cheap(path, "detect", allowed=(3,))
    assert "the window of its compression needs more than" in taken.err


@pytest.mark.parametrize("name", ["kdump", "qevm"])
def test_small_files_full_of_work(tmp_path: Path, name: str) -> None:
    """What compresses best: a table of descriptors, records of pages full of zeros."""
    if name == "kdump":
        data = Kdump(dict.fromkeys(range(1 << 18), b"")).write()
    else:
        from .writers.qevm_writer import Qevm

        data = Qevm([{"pc.ram": {n: bytes(4096) for n in range(1 << 17)}}], {"pc.ram": 1 << 30}
                    ).write()  # fmt: skip
    path = tmp_path / "zst"
    path.write_bytes(zstd_stream(data))
    assert_cheap(path, "physbase")


def test_members_without_end(tmp_path: Path) -> None:
    """Empty frames and members, which unpack to nothing."""
    for data in (zstandard.compress(b"") * 200_000, gzip.compress(b"") * 50_000):
        path = tmp_path / "many"
        path.write_bytes(data + gzip.compress(ELF))
        assert_cheap(path, "detect")


def test_the_reader_of_xz_against_lzma() -> None:
    data = b"".join(page(n) for n in range(300))
    from crashext.budget import Budget
    from crashext.dumps.xz_stream import XzReader

    packed = lzma.compress(data) + bytes(8) + lzma.compress(b"") + lzma.compress(b"end")
    reader = io.BufferedReader(XzReader(io.BytesIO(packed), Budget(), ""), 1 << 16)
    assert reader.read() == data + b"end"
    for cut in (1, 20, len(packed) // 2):
        cut_off = io.BufferedReader(XzReader(io.BytesIO(packed[:-cut]), Budget(), ""), 1 << 16)
        with pytest.raises(EOFError):
            cut_off.read()
