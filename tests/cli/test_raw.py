# SPDX-License-Identifier: GPL-3.0-or-later
"""Files without a header, which only the options make a dump."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from crashext import open_dump
from crashext.cli import run

SAMPLE = Path(__file__).parents[2] / "sample_dumps" / "ovmf-kaslr.kdump"


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    """The sample's pages at their places in a sparse file, as pmemsave would have them."""
    path = tmp_path / "pmem"
    with open_dump(SAMPLE) as dump, path.open("wb") as file:
        for paddr, page in dump.page_heads(dump.page_size):
            if paddr < dump.ram[0].end:
                file.seek(paddr)
                file.write(page)
        file.truncate(dump.ram[0].end)
    return path


def call(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return run(words, out=out, err=err), out.getvalue(), err.getvalue()


def test_the_kernel_is_found_in_raw_memory(memory: Path) -> None:
    truth = json.loads(SAMPLE.with_suffix(".json").read_text())
    status, out, err = call(
        "physbase", "--format", "raw", "--json", str(memory),
        "--vmlinux", str(SAMPLE.parent / truth["vmlinux"]),
    )  # fmt: skip
    assert (status, err) == (0, "")
    answer = json.loads(out)
    assert answer["phys_base"] == truth["phys_base"]
    assert answer["kaslr_offset"] == truth["kaslr_offset"]


def test_detect_says_what_it_was_told(memory: Path) -> None:
    status, out, _ = call(
        "detect", "--format", "raw", "--offset", "0x100000000", "--json", str(memory)
    )
    answer = json.loads(out)
    assert status == 1 and (answer["format"], answer["origin"]) == ("raw", "unknown")
    assert answer["ram"][0]["start"] == "0x100000000"


@pytest.mark.parametrize(
    "words",
    [("--format", "elf"), ("--format", "raw", "--offset", "12q"), ("--offset", "0")],
)
def test_wrong_options_are_usage(memory: Path, words: tuple[str, ...]) -> None:
    status, out, err = call("detect", *words, str(memory))
    assert (status, out) == (2, "") and err.count("\n") == 1


def test_without_the_option_it_is_no_dump(memory: Path) -> None:
    status, out, err = call("detect", str(memory))
    assert (status, out) == (3, "") and "not a memory dump" in err


def test_memory_in_two_files(memory: Path, tmp_path: Path) -> None:
    truth = json.loads(SAMPLE.with_suffix(".json").read_text())
    data = memory.read_bytes()
    half = len(data) // 2 & -4096
    low, high = tmp_path / "low", tmp_path / "high"
    low.write_bytes(data[:half])
    high.write_bytes(data[half:])
    vmlinux = str(SAMPLE.parent / truth["vmlinux"])
    words = ["physbase", "--format", "raw", "--json", "--vmlinux", vmlinux]
    status, out, err = call(*words, str(high), str(low), "--offset", str(half), "--offset", "0")
    assert (status, err) == (0, "")
    assert json.loads(out)["phys_base"] == truth["phys_base"]
    status, _, err = call(*words, str(high), str(low), "--offset", "0")
    assert status == 2 and "2 raw files need an --offset each; 1 given" in err
    status, _, err = call(*words, str(high), str(low))
    assert status == 2 and "several raw files need an --offset each" in err
    status, _, err = call(*words, str(high), str(low), "--offset", "0", "--offset", "4096")
    assert status == 3 and "overlaps" in err and err.count("\n") == 1
