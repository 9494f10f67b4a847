# SPDX-License-Identifier: GPL-3.0-or-later
"""The committed samples of real dumps, written anew in each format and read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from crashext import open_dump

from .memory import assert_same_memory, headers_of, write

SAMPLES = Path(__file__).parents[3] / "sample_dumps"
DUMPS = sorted(p for p in SAMPLES.iterdir() if p.suffix in (".elf", ".flat", ".kdump"))
#: ELF and kdump, blocks of 4 and 64 KiB, big-endian, filtered, 32-bit.
SOME = ("ovmf-kaslr.kdump", "ovmf-vmcoreinfo.elf", "s390x-panicked.flat", "kdump-filtered.flat",
        "i386-pae-user.flat", "ppc64le-radix.elf")  # fmt: skip
FORMATS = ("zlib", "lzo", "snappy", "zstd", "none", "keep", "elf", "zlib-flat", "elf-flat")


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("name", SOME)
def test_each_format_gives_the_same_memory_back(tmp_path: Path, name: str, to: str) -> None:
    with open_dump(SAMPLES / name) as dump:
        written = write(dump, tmp_path / "out", to)
        with open_dump(tmp_path / "out") as new:
            assert new.complete and new.warnings == ()
            assert new.flattened == to.endswith("-flat")
            assert new.format == ("elf" if to.startswith("elf") else "kdump")
            assert (new.arch, new.byte_order) == (dump.arch, dump.byte_order)
            assert [(n.name, n.type, n.desc) for n in new.notes] == [
                (n.name, n.type, n.desc) for n in dump.notes
            ]
            assert new.vmcoreinfo == dump.vmcoreinfo
            count = assert_same_memory(dump, new)
    assert written.unreadable == 0 and count > 10
    block = dump.page_size if new.format == "kdump" else 4096
    assert written.pages * block == count * 4096
    assert written.bytes_written <= (tmp_path / "out").stat().st_size


@pytest.mark.parametrize("path", DUMPS, ids=lambda p: p.name)
def test_every_sample_becomes_kdump_and_that_an_elf(tmp_path: Path, path: Path) -> None:
    with open_dump(path) as dump:
        write(dump, tmp_path / "kdump", "zstd", threads=1)
        with open_dump(tmp_path / "kdump") as kdump:
            count = assert_same_memory(dump, kdump)
            write(kdump, tmp_path / "elf", "elf", headers_of(dump), threads=1)
            with open_dump(tmp_path / "elf") as elf:
                assert assert_same_memory(kdump, elf) == count
                assert elf.vmcoreinfo == kdump.vmcoreinfo == dump.vmcoreinfo
