# SPDX-License-Identifier: GPL-3.0-or-later
"""The search runs on whatever keeps to the descriptor: a made-up architecture is found."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

import crashext.arch
from crashext.arch.base import Architecture
from crashext.dumps.base import Note
from crashext.locate import Location, locate
from tests.arch.toy import BLOCK, ENTRY, EXECUTE, MAP, VALID, WRITE, Toy
from tests.locate.guest import DATA, RODATA, SIZE, Guest, Kernel, MemoryDump, write_vmlinux

TOY: Architecture = Toy()
TEXT_PADDR, OFFSET = 0x4200000, 0x600000
LINK = MAP + BLOCK
VOFFSET = LINK + OFFSET - TEXT_PADDR


class ToyKernel(Kernel):
    """The same image, under the names of the toy architecture."""

    def symbols(self) -> dict[str, int]:
        names = {"init_top_pgt": "swapper_pg_dir", "phys_base": "kimage_voffset"}
        return {names.get(name, name): value for name, value in super().symbols().items()}


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> ToyKernel:
    monkeypatch.setattr(crashext.arch, "ARCHITECTURES", (*crashext.arch.ARCHITECTURES, TOY))
    return ToyKernel(text_paddr=TEXT_PADDR, kaslr=OFFSET, link=LINK)


def booted(kernel: ToyKernel) -> MemoryDump:
    guest = Guest()
    text, rodata = kernel.body()
    guest.write(kernel.paddr("_text"), text)
    guest.write(kernel.paddr("__start_rodata"), rodata)
    guest.u64(kernel.paddr("kimage_voffset"), VOFFSET)
    guest.u64(kernel.paddr("elfcorehdr_addr"), -1)
    root = kernel.paddr("swapper_pg_dir")
    for number in range(SIZE // BLOCK):
        rights = EXECUTE if number * BLOCK < RODATA else WRITE if number * BLOCK >= DATA else 0
        vaddr = LINK + OFFSET + number * BLOCK
        entry = ENTRY.pack(vaddr | VALID | rights, TEXT_PADDR + number * BLOCK)
        guest.write(root + number * ENTRY.size, entry)
    dump = guest.dump()
    dump.arch = "toy"
    dump.notes = (Note("TOY", 0, struct.pack("<QQ", LINK + OFFSET + 64, root), 0),)
    return dump


def assert_found(location: Location) -> None:
    assert location.found, location.reason
    assert location.arch == "toy"
    assert location.phys_base is None
    assert location.kimage_voffset == VOFFSET
    assert (location.text_paddr, location.kaslr_offset) == (TEXT_PADDR, OFFSET)
    assert location.crash_args == ("--machdep", f"kimage_voffset={VOFFSET:#x}")


def test_by_the_vcpus_tables(kernel: ToyKernel, tmp_path: Path) -> None:
    location = locate(booted(kernel), vmlinux=write_vmlinux(kernel, tmp_path / "vmlinux"))
    assert_found(location)
    assert location.confidence == "certain"
    assert location.confirmed_by[:4] == (
        "cpu_page_tables", "linux_banner", "kimage_voffset", "swapper_pg_dir",
    )  # fmt: skip
    assert location.to_json()["vcpus"][0]["ttbr"] == f"{kernel.paddr('swapper_pg_dir'):#x}"


def test_headers_in_the_other_byte_order_are_said_to_stop_crash(
    kernel: ToyKernel, tmp_path: Path
) -> None:
    dump, vmlinux = booted(kernel), write_vmlinux(kernel, tmp_path / "vmlinux")
    assert not any("endian" in warning for warning in locate(dump, vmlinux=vmlinux).warnings)
    dump.byte_order = "big"
    location = locate(dump, vmlinux=vmlinux)
    assert location.found
    assert any("big-endian, its guest is little" in warning for warning in location.warnings)


def test_by_the_banner(kernel: ToyKernel, tmp_path: Path) -> None:
    vmlinux = write_vmlinux(kernel, tmp_path / "vmlinux")
    location = locate(booted(kernel), vmlinux=vmlinux, use_cpu_state=False)
    assert_found(location)
    assert location.confidence == "strong"


def test_an_architecture_without_descriptor_is_said_to_be_one(tmp_path: Path) -> None:
    guest = Guest().dump()
    guest.arch = "toy"
    location = locate(guest)
    assert not location.found
    assert "toy" in location.reason


def test_the_porting_guide_has_every_member() -> None:
    members = {name for name in dir(Architecture) if not name.startswith("_")}
    members |= set(Architecture.__annotations__)
    guide = (Path(__file__).parents[2] / "docs" / "porting.md").read_text()
    assert len(members) > 30
    assert {name for name in members if f"`{name}`" not in guide} == set()
