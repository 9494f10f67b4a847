# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's real dumps, page for page: against one another, makedumpfile and libkdumpfile."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from crashext import Dump, ExcludedPage, open_dump

from .writers.elf_writer import Elf, Load
from .writers.notes import note

ROOT = Path(__file__).parents[2]
DUMPS = ROOT / "lab" / "dumps"
GUEST = DUMPS / "ovmf-vmcoreinfo.elf"
SYSTEM_PYTHON = "/usr/bin/python3"

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not GUEST.exists(), reason="no lab dumps (make sample-dumps)"),
]


def assert_same(one: Dump, other: Dump, excluded: bool = False) -> int:
    """Compare the first range of RAM page for page; returns how many pages there were."""
    count = 0
    for paddr in range(*one.ram[0], 4096):
        try:
            page = other.read(paddr, 4096)
        except ExcludedPage:
            assert excluded
            continue
        assert page == one.read(paddr, 4096), hex(paddr)
        count += 1
    return count


@pytest.mark.parametrize("suffix", ["kdump", "flat"])
def test_kdump_and_elf_of_a_stopped_guest_agree(suffix: str) -> None:
    with open_dump(GUEST) as elf, open_dump(GUEST.with_suffix(f".{suffix}")) as kdump:
        assert elf.ram == kdump.ram and elf.vmcoreinfo == kdump.vmcoreinfo
        assert [n.desc for n in elf.notes] == [n.desc for n in kdump.notes]
        assert assert_same(elf, kdump) == elf.ram[0].size // 4096


@pytest.mark.skipif(not shutil.which("makedumpfile"), reason="no makedumpfile")
@pytest.mark.parametrize(
    "options", [("-c", "-d", "0"), ("-l", "-d", "0"), ("-c", "-d", "31"), ("-E", "-d", "0"),
                ("-c", "--split"), ("-F", "-c", "-d", "1")],
    ids=" ".join,
)  # fmt: skip
def test_what_makedumpfile_makes_of_it(tmp_path: Path, options: tuple[str, ...]) -> None:
    with open_dump(GUEST) as elf:
        # makedumpfile 1.7.2 can't read QEMU 7.2's ELF, whose program headers come later.
        source = tmp_path / "source"
        notes = b"".join(note(n.name.encode(), n.type, n.desc) for n in elf.notes)
        low = elf.ram[0]
        source.write_bytes(
            Elf([Load(0, elf.read(0, low.size))], notes=notes, sections=False).write()
        )
        outputs = [tmp_path / f"part{n}" for n in range(1 + ("--split" in options))]
        words = ["makedumpfile", *options, str(source)]
        if "-F" in options:
            with outputs[0].open("wb") as file:
                subprocess.run(words, stdout=file, stderr=subprocess.DEVNULL, check=True)
        else:
            subprocess.run([*words, *map(str, outputs)], capture_output=True, check=True)
        with open_dump(*outputs) as made:
            assert made.complete and made.vmcoreinfo == elf.vmcoreinfo
            assert made.flattened == ("-F" in options)
            count = assert_same(elf, made, excluded="31" in options)
        assert count == low.size // 4096 or (count > 1000 and "31" in options)
        for path in (source, *outputs):
            path.unlink()


def _libkdumpfile() -> bool:
    command = [SYSTEM_PYTHON, "-c", "import kdumpfile"]
    return not subprocess.run(command, capture_output=True, check=False).returncode


@pytest.mark.skipif(not _libkdumpfile(), reason="no python3-libkdumpfile")
@pytest.mark.parametrize("name", ["ovmf-kaslr", "ovmf-la57", "seabios-kaslr", "ovmf-vmcoreinfo"])
@pytest.mark.parametrize("suffix", ["elf", "kdump"])
def test_libkdumpfile_reads_the_same(name: str, suffix: str) -> None:
    path = DUMPS / f"{name}.{suffix}"
    if not path.exists():
        pytest.skip(f"the lab has no {path.name}")
    command = [SYSTEM_PYTHON, "-m", "tools.compare_kdumpfile", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    same, different, unread = map(int, done.stdout.split())
    assert same > 100_000 and (different, unread) == (0, 0)
