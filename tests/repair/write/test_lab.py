# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's real dumps written anew: page for page, and opened by other tools."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from crashext import Dump, open_dump
from crashext.dumps.kdump_types import Utsname
from crashext.repair.headers import Headers, Mapping

from .memory import assert_same_memory, headers_of, write

ROOT = Path(__file__).parents[3]
DUMPS = ROOT / "lab" / "dumps"
GUEST = "ovmf-vmcoreinfo"
ZEROS = bytes(4096)
SYSTEM_PYTHON = "/usr/bin/python3"

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not (DUMPS / f"{GUEST}.elf").exists(), reason="no lab dumps"),
]
needs_makedumpfile = pytest.mark.skipif(not shutil.which("makedumpfile"), reason="no makedumpfile")


def opened(name: str) -> Dump:
    if not (DUMPS / name).exists():
        pytest.skip(f"the lab has no {name}")
    return open_dump(DUMPS / name)


def right_headers(dump: Dump, guest: str = GUEST) -> Headers:
    """What a tool needs to be told of the guest, from what it said of itself."""
    truth = json.loads((DUMPS / f"{guest}.json").read_text())
    release, version = truth["release"], truth["banner"].partition(" #")[2]
    base = int(truth["phys_base"], 16)
    text = Mapping(int(truth["text_vaddr"], 16), int(truth["text_paddr"], 16), 32 << 20)
    return Headers(
        dump.arch, dump.byte_order, 64, dump.notes, phys_base=base - (base >> 63 << 64),
        utsname=Utsname("Linux", "guest", release, "#" + version, truth["arch"], "(none)"),
        nr_cpus=1, page_size=dump.page_size, mappings=(text,),
    )  # fmt: skip


@pytest.mark.parametrize("to", ["zlib", "lzo", "snappy", "zstd", "none", "keep", "elf"])
@pytest.mark.parametrize("name", [f"{GUEST}.elf", f"{GUEST}.flat", "arm64-vmcoreinfo.kdump"])
def test_a_whole_guest(tmp_path: Path, name: str, to: str) -> None:
    with opened(name) as dump:
        written = write(dump, tmp_path / "out", to)
        with open_dump(tmp_path / "out") as new:
            assert new.complete and new.warnings == ()
            assert assert_same_memory(dump, new) == dump.ram_bytes // 4096
            assert new.vmcoreinfo == dump.vmcoreinfo
            assert [n.desc for n in new.notes] == [n.desc for n in dump.notes]
    assert written.unreadable == 0 < written.zero_pages < written.pages
    (tmp_path / "out").unlink()


@pytest.mark.parametrize("to", ["keep", "zstd", "elf", "elf-flat"])
@pytest.mark.parametrize("name", ["kdump-filtered.kdump", "qemu-filtered.kdump"])
def test_a_filtered_dump(tmp_path: Path, name: str, to: str) -> None:
    with opened(name) as dump:
        write(dump, tmp_path / "out", to)
        with open_dump(tmp_path / "out", max_memory=1 << 30) as new:
            assert 1000 < assert_same_memory(dump, new) < dump.ram_bytes // 4096
            if to != "elf":
                assert new.flattened == (to == "elf-flat")
            if new.format == "kdump":
                assert new.header.dump_level == dump.header.dump_level


@pytest.mark.parametrize(
    ("name", "to"),
    [(f"{GUEST}.kdump", "zlib"), (f"{GUEST}.kdump", "elf"), ("arm64-vmcoreinfo.kdump", "lzo"),
     ("arm64-vmcoreinfo.kdump", "snappy"), ("arm64-vmcoreinfo.kdump", "zstd"),
     ("arm64-vmcoreinfo.elf", "none")],
)  # fmt: skip
def test_libkdumpfile_reads_the_same(tmp_path: Path, name: str, to: str) -> None:
    if subprocess.run([SYSTEM_PYTHON, "-c", "import kdumpfile"], check=False).returncode:
        pytest.skip("no python3-libkdumpfile")
    with opened(name) as dump:
        # QEMU's blocks of 64 KiB it does not read of a guest whose pages have 4 KiB.
        write(dump, tmp_path / "out", to, headers_of(dump, 4096))
        count = dump.ram[0].size // dump.page_size
    command = [SYSTEM_PYTHON, "-m", "tools.compare_kdumpfile", str(tmp_path / "out"),
               str(DUMPS / name)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    same, different, unread = map(int, done.stdout.split())
    assert (same, different, unread) == (count, 0, 0)
    (tmp_path / "out").unlink()


@needs_makedumpfile
@pytest.mark.parametrize("to", ["lzo", "keep", "elf"])
def test_makedumpfile_reads_the_kernels_log(tmp_path: Path, to: str) -> None:
    with opened(f"{GUEST}.kdump") as dump:
        write(dump, tmp_path / "out", to, right_headers(dump))
    command = ["makedumpfile", "--dump-dmesg", str(tmp_path / "out"), str(tmp_path / "log")]
    subprocess.run(command, check=True, capture_output=True)
    log = (tmp_path / "log").read_text(errors="replace").splitlines()
    release = json.loads((DUMPS / f"{GUEST}.json").read_text())["release"]
    assert f"Linux version {release}" in log[0] and len(log) > 200
    (tmp_path / "out").unlink()


class _LowMemory(Dump):
    """The RAM that Linux uses: makedumpfile 1.7.2 mistakes the bitmaps of a kdump that has
    memory above it, as a guest's firmware is (it cuts max_mapnr down before it copies them).
    """

    def __init__(self, dump: Dump) -> None:
        self._dump = dump
        self.path, self.header, self.page_size = dump.path, dump.header, dump.page_size
        self.ram = dump.ram[:1]

    def read(self, paddr: int, size: int) -> bytes:
        return self._dump.read(paddr, size)

    def page_heads(self, size: int) -> Iterator[tuple[int, bytes]]:
        return self._dump.page_heads(size)

    def close(self) -> None:
        """The dump is closed by itself."""


@needs_makedumpfile
@pytest.mark.parametrize(("to", "whole"), [("elf", True), ("zlib", False), ("lzo", False)])
def test_makedumpfile_filters_it(tmp_path: Path, to: str, whole: bool) -> None:
    with opened(f"{GUEST}.kdump") as dump:
        low = dump if whole else _LowMemory(dump)
        write(low, tmp_path / "out", to, right_headers(dump))
        command = ["makedumpfile", "-c", "-d", "31", str(tmp_path / "out"), str(tmp_path / "less")]
        subprocess.run(command, check=True, capture_output=True)
        with open_dump(tmp_path / "less") as less:
            kept = excluded = 0
            for start, end, kind in less.stretches():
                if kind == "excluded":
                    excluded += (end - start) // 4096
                    continue
                pages = less.read(start, end - start)
                assert pages == dump.read(start, end - start)
                kept += sum(pages[at : at + 4096] != ZEROS for at in range(0, len(pages), 4096))
    # How many are left out depends on whether it knows the kernel's free pages; zeros it keeps.
    assert 1000 < kept < 60_000 and excluded > 100
    (tmp_path / "out").unlink()


def test_blocks_of_64_kib_become_4_kib(tmp_path: Path) -> None:
    with opened("arm64-vmcoreinfo.kdump") as dump:
        write(dump, tmp_path / "out", "lzo", headers_of(dump, 4096))
        with open_dump(tmp_path / "out") as new:
            assert new.page_size == 4096
            assert assert_same_memory(dump, new) == dump.ram_bytes // 4096
