# SPDX-License-Identifier: GPL-3.0-or-later
"""Real guests whose kernels have no VMCOREINFO, and no vmlinux is at hand."""

from __future__ import annotations

import json
import mmap
import shutil
from pathlib import Path

import pytest

from crashext import open_dump
from crashext.locate import Location, locate

DUMPS = Path(__file__).parents[2] / "lab" / "dumps"
_MARK, _TEXT = b"OSRELEASE=", 2048
_FURTHER = pytest.mark.arch


def wiped(dump: Path, folder: Path) -> Path:
    """A copy without the texts."""
    copy = folder / dump.name
    shutil.copyfile(dump, copy)
    with copy.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        at = memory.find(_MARK)
        assert at >= 0
        while at >= 0:
            memory[at : at + _TEXT] = bytes(_TEXT)
            at = memory.find(_MARK, at)
    return copy


def assert_right(answer: Location, name: str) -> None:
    truth = json.loads((DUMPS / f"{name}.json").read_text())
    assert answer.found and answer.confidence == "strong", answer.reason
    facts = answer.to_json()
    assert facts["kimage_voffset"] == truth["kimage_voffset"]
    # Where neither VMCOREINFO nor a vmlinux tells it, it isn't made up.
    assert facts["kaslr_offset"] in (None, truth["kaslr_offset"])


@pytest.mark.lab
@pytest.mark.parametrize(
    "name",
    [
        "arm64-newer", "arm64-lpa2",
        pytest.param("arm64-development", marks=_FURTHER),
        pytest.param("riscv64-development", marks=_FURTHER),
    ],
)  # fmt: skip
def test_the_image_tells_where_it_is(name: str, tmp_path: Path) -> None:
    if not (DUMPS / f"{name}.elf").exists():
        pytest.skip(f"no {name}.elf")
    with open_dump(wiped(DUMPS / f"{name}.elf", tmp_path)) as dump:
        assert_right(locate(dump), name)


@pytest.mark.lab
@pytest.mark.arch
@pytest.mark.parametrize("suffix", ["elf", "kdump"])
@pytest.mark.parametrize("name", ["arm64-64k", "arm64-64k-48"])
def test_a_kernel_without_kexec_is_told_by_its_code(name: str, suffix: str) -> None:
    """Its first page was freed, too: nothing is left by which a boot loader would know it."""
    if not (DUMPS / f"{name}.{suffix}").exists():
        pytest.skip(f"no {name}.{suffix} (LAB_GROUPS=built)")
    with open_dump(DUMPS / f"{name}.{suffix}") as dump:
        answer = locate(dump)
    assert_right(answer, name)
    assert answer.va_bits == (48 if name.endswith("48") else 52)
