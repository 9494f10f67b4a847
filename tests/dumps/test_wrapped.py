# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import bz2
import gzip
import lzma
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard

from crashext import CorruptDump, UnknownFormat, UnreadableDump, UnsupportedDump, open_dump

from .conftest import Opener, page
from .writers.elf_writer import Elf, Load
from .writers.flat_writer import flatten, records
from .writers.kdump_writer import Kdump
from .writers.notes import qemu_notes

DATA = b"".join(page(n) for n in range(500)) + bytes(1 << 20)
NOTES = qemu_notes(1)
IMAGES = {
    "elf": Elf([Load(0, DATA)], notes=NOTES).write(),
    "kdump": Kdump({n: page(n) for n in range(500)}, notes=NOTES).write(),
    "flattened": flatten(records(Kdump({n: page(n) for n in range(500)}, notes=NOTES).write())),
}


def xz_blocks(data: bytes) -> bytes:
    import io

    import xz

    out = io.BytesIO()
    with xz.open(out, "wb") as file:
        for at in range(0, len(data), 300_000):
            file.write(data[at : at + 300_000])
            file.change_block()
    return out.getvalue()


def zstd_frames(data: bytes) -> bytes:
    packer = zstandard.ZstdCompressor(write_checksum=True)
    skippable = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"12345"
    parts = [packer.compress(data[at : at + 300_000]) for at in range(0, len(data), 300_000)]
    return skippable + skippable.join(parts) + skippable


def zstd_stream(data: bytes) -> bytes:
    stream = zstandard.ZstdCompressor().compressobj()
    return stream.compress(data) + stream.flush()


STREAMS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "gz-members": lambda data: gzip.compress(data[:99999]) + gzip.compress(data[99999:]),
    "bz2": bz2.compress,
    "xz": lambda data: lzma.compress(data) + lzma.compress(b""),
    "zst": zstd_stream,
}
BLOCKS = {"xz": xz_blocks, "xz-one": lzma.compress, "zst": zstd_frames}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "qemufix"


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("name", STREAMS)
def test_streams_are_unpacked_once(tmp_path: Path, cache: Path, name: str, kind: str) -> None:
    path = tmp_path / "dump"
    path.write_bytes(STREAMS[name](IMAGES[kind]))
    calls: list[tuple[str, float]] = []
    said: list[str] = []
    with open_dump(path, progress=lambda *call: calls.append(call), say=said.append) as dump:
        assert dump.path == str(path) and dump.complete and len(dump.notes) == 2
        assert dump.flattened == (kind == "flattened")
        assert dump.read(0, 500 * 4096) == DATA[: 500 * 4096]
        assert dump.warnings == () and len(said) == 1 and "unpacked into the cache" in said[0]
    assert calls and calls[-1] == ("Unpacking", 1.0)
    (cached,) = cache.glob("*.whole")
    assert cached.stat().st_mode & 0o77 == 0 and cache.stat().st_mode & 0o77 == 0
    if kind == "elf":
        assert cached.stat().st_blocks * 512 < len(IMAGES[kind]) - (1 << 19)
    calls.clear()
    with open_dump(path, progress=lambda *call: calls.append(call)) as dump:
        assert dump.read(4096, 4096) == page(1)
    assert not calls


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_are_read_in_place(tmp_path: Path, cache: Path, name: str, kind: str) -> None:
    path = tmp_path / "dump"
    path.write_bytes(BLOCKS[name](IMAGES[kind]))
    with open_dump(path) as dump:
        assert dump.path == str(path) and dump.complete and not dump.warnings
        assert dump.read(100, 500 * 4096 - 200) == DATA[100 : 500 * 4096 - 100]
    assert not cache.exists()


@pytest.mark.parametrize("name", ["gz", "bz2", "xz", "zst"])
def test_cut_off_streams_keep_what_there_is(tmp_path: Path, name: str) -> None:
    path = tmp_path / "dump"
    noise = random.Random(1).randbytes(1 << 20)
    whole = STREAMS[name](Elf([Load(0, noise * 3)]).write())
    path.write_bytes(whole[: len(whole) - 9] if name == "zst" else whole[: len(whole) * 9 // 10])
    for _ in range(2):
        with open_dump(path) as dump:
            assert not dump.complete
            assert any("cut off" in warning for warning in dump.warnings)
            assert dump.read(0, 4096) == noise[:4096]


@pytest.mark.parametrize("name", BLOCKS)
def test_damaged_blocks(opened: Opener, name: str) -> None:
    image = bytearray(BLOCKS[name](IMAGES["elf"]))
    middle = len(image) // 2
    image[middle : middle + 50] = bytes(50)
    with pytest.raises(CorruptDump, match="does not unpack"):
        opened(bytes(image)).read(0, 500 * 4096)


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("size", [65536, 65537, 100, 300_000])
def test_checksums_of_blocks(tmp_path: Path, name: str, size: int) -> None:
    """Noise is stored as it is: what follows its last bytes is no data but the checksum."""
    data = random.Random(size).randbytes(size)
    image = bytearray(BLOCKS[name](data))
    path = tmp_path / "dump"
    path.write_bytes(image)
    with open_dump(path, format="raw") as dump:
        assert dump.read(0, size) == data
    spot = image.index(data[-16:]) + 16 + (4 if name != "zst" else 0)
    image[spot + 1] ^= 0x55
    path.write_bytes(image)
    with pytest.raises(CorruptDump), open_dump(path, format="raw") as dump:
        dump.read(0, size)


def test_threads_share_the_blocks(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    data = b"".join(page(n) for n in range(4000))
    path.write_bytes(zstd_frames(data))
    with open_dump(path, format="raw", max_memory=1_000_000) as dump, ThreadPoolExecutor(6) as pool:
        chosen = random.Random(1).choices(range(4000), k=300)
        read = list(pool.map(lambda pfn: dump.read(pfn * 4096, 4096), chosen))
        assert read == [page(pfn) for pfn in chosen]


@pytest.mark.parametrize("name", STREAMS)
def test_what_is_inside_is_checked_first(opened: Opener, cache: Path, name: str) -> None:
    with pytest.raises(UnknownFormat):
        opened(STREAMS[name](b"no dump" * 100000))
    with pytest.raises(UnsupportedDump, match="VMware"):
        opened(STREAMS[name](b"\xd2\xbe\xd2\xbe" + bytes(99999)))
    assert not cache.exists()


def test_rubbish_behind_a_magic(opened: Opener) -> None:
    for magic in (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18"):
        for rest in (b"", b"\xff" * 5000):
            with pytest.raises((CorruptDump, UnknownFormat)):
                opened(magic + rest)


def test_no_room_is_said(opened: Opener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UnreadableDump, match="XDG_CACHE_HOME"):
        opened(gzip.compress(IMAGES["elf"]))


def test_frames_that_end_in_an_empty_block(tmp_path: Path) -> None:
    """Zeros and sizes that are a multiple of what is unpacked at a time make them."""
    data = page(1) * 256 + bytes(6 << 20) + page(2) * 256
    image = Elf([Load(0, data)]).write()
    image += bytes(-len(image) % (1 << 20))
    packer = zstandard.ZstdCompressor(level=19)
    frames = [packer.compress(image[at : at + (1 << 20)]) for at in range(0, len(image), 1 << 20)]
    path = tmp_path / "frames.zst"
    path.write_bytes(b"".join(frames))
    with open_dump(path) as dump:
        assert dump.read(0, len(data)) == data
