# SPDX-License-Identifier: GPL-3.0-or-later
"""The committed samples: whole, small, and as their guests were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crashext import open_dump
from crashext.arch import architecture_of, notes_of
from crashext.locate import locate
from crashext.symbols.vmlinux import Vmlinux

SAMPLES = Path(__file__).parents[2] / "sample_dumps"
TRUTHS = sorted(SAMPLES.glob("*.json"))
_UNITS = {"M": 1 << 20, "G": 1 << 30}
#: Registers that QEMU's monitor has told and that a note may hold; "ip" is where it executes.
_REGISTERS = ("ip", "cr3", "cr13", "psw_mask", "msr")


@pytest.fixture(params=TRUTHS, ids=[path.stem for path in TRUTHS])
def truth(request: pytest.FixtureRequest) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(request.param.read_text())
    return facts


def _dumps(truth: dict[str, Any]) -> list[Path]:
    return [SAMPLES / name for name in (*truth["dumps"], *truth.get("captures", ()))]


def test_there_are_samples() -> None:
    assert len(TRUTHS) > 6


def test_every_file_is_named_and_small(truth: dict[str, Any]) -> None:
    for path in _dumps(truth):
        assert path.stat().st_size <= 440 << 10


def test_its_ram_is_the_guests(truth: dict[str, Any]) -> None:
    if truth["origin"] != "qemu":
        pytest.skip("the kernel describes its own memory in its own way")
    amount, unit = truth["memory"].partition(",")[0][:-1], truth["memory"].partition(",")[0][-1]
    for path in _dumps(truth):
        with open_dump(str(path)) as dump:
            described = dump.ram_bytes
        assert described >= (int(amount) * _UNITS[unit]) * 0.99


def test_its_notes_are_the_vcpus(truth: dict[str, Any]) -> None:
    wanted = [
        {name: int(cpu[name], 16) for name in _REGISTERS if name in cpu} for cpu in truth["cpus"]
    ]
    if not wanted or truth["origin"] == "kdump" or "zeroed" in truth["scenario"]:
        pytest.skip("no CPU state of QEMU's")
    for path in _dumps(truth):
        with open_dump(str(path)) as dump:
            arch = architecture_of(dump.arch)
            assert arch is not None
            cpus = arch.cpus(notes_of(dump))
        found = [{"ip": cpu.pc, **cpu.registers} for cpu in cpus]
        if cpus:
            assert [{n: each[n] for n in wanted[0]} for each in found] == wanted


def test_each_kernel_has_its_vmlinux(truth: dict[str, Any]) -> None:
    for kernel in truth["kernels"]:
        with Vmlinux(str(SAMPLES / kernel["vmlinux"])) as vmlinux:
            assert vmlinux.banner is not None
            assert vmlinux.banner.decode().strip() == kernel["banner"]
            assert vmlinux.build_id == kernel["build_id"]
            text = vmlinux.symbol("_text")
        assert text is not None
        assert text + int(kernel["kaslr_offset"], 16) == int(kernel["text_vaddr"], 16)


def test_the_kernels_that_run_can_be_found(truth: dict[str, Any]) -> None:
    """With its vmlinux, the sample leads to what the guest said of itself."""
    if not truth["found"]:
        pytest.skip("no kernel runs in it")
    for path in _dumps(truth):
        with open_dump(str(path)) as dump:
            found = locate(dump, vmlinux=str(SAMPLES / truth["vmlinux"])).to_json()
        for key in ("phys_base", "kaslr_offset", "text_vaddr", "text_paddr", "build_id"):
            assert found[key] == truth[key], f"{path.name}: {key}"
