# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a guest has for types and symbols, crash, gdb and drgn stand on what is made of it.

Either there is one line that says what is wrong, or a vmlinux on which no tool ends by a signal,
hangs, or takes gigabytes.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from .forged_btf import FORGERIES, Blob, scattered
from .hostile_run import Memory, fallen, made

pytestmark = [pytest.mark.crash, pytest.mark.lab]
pytest.importorskip("drgn")

DUMP = Path(__file__).parents[2] / "lab" / "dumps" / "ovmf-4cpu.kdump"
#: Of the forgeries those that must not become types; the rest may.
REFUSED = {"itself", "each_other", "itself_in_an_array", "typedef_of_itself", "consts_in_a_circle",
           "array_of_itself", "references_past_the_end", "too_many_members"}  # fmt: skip
_TABLES = ("kallsyms_names", "kallsyms_token_table", "kallsyms_token_index", "kallsyms_offsets")


@pytest.fixture(autouse=True)
def _needed() -> None:
    if not (DUMP.exists() and shutil.which("crash") and shutil.which("gdb")):
        pytest.skip("no lab dump, crash or gdb (make setup, make sample-dumps)")


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_types(name: str, tmp_path: Path) -> None:
    def change(memory: Memory) -> None:
        blob = Blob(memory.read("__start_BTF", "__stop_BTF"))
        FORGERIES[name](blob, random.Random(name))
        memory.write("__start_BTF", bytes(blob.data))

    out = tmp_path / "vmlinux"
    problem = made(DUMP, out, change)
    assert problem if name in REFUSED else True
    # Without types it is the same file whatever was wrong with them.
    if out.exists() and (problem is None or name == "itself"):
        assert fallen(DUMP, out) == []


@pytest.mark.parametrize("seed", range(4))
def test_damaged_types(seed: int, tmp_path: Path) -> None:
    def change(memory: Memory) -> None:
        blob = Blob(memory.read("__start_BTF", "__stop_BTF"))
        scattered(blob, random.Random(seed))
        memory.write("__start_BTF", bytes(blob.data))

    out = tmp_path / "vmlinux"
    made(DUMP, out, change)
    if out.exists():
        assert fallen(DUMP, out) == []


@pytest.mark.parametrize("table", _TABLES)
def test_damaged_symbols(table: str, tmp_path: Path) -> None:
    def change(memory: Memory) -> None:
        rng = random.Random(table)
        memory.write(table, bytes(rng.randrange(200)) + rng.randbytes(8))

    truth = json.loads(DUMP.with_suffix(".json").read_text())
    out = tmp_path / "vmlinux"
    made(DUMP, out, change, DUMP.parent / truth["vmlinux"])
    if out.exists():
        assert fallen(DUMP, out) == []
