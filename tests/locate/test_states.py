# SPDX-License-Identifier: GPL-3.0-or-later
"""The search in states of a guest that are made page by page (see guest.py)."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from crashext.locate import Location, locate
from tests.locate.guest import MAP, MIB, PAGE, Cpu, Guest, Kernel, write_vmlinux


def find(guest: Guest, given: Kernel | None, tmp_path: Path, **options: object) -> Location:
    vmlinux = write_vmlinux(given, tmp_path / "vmlinux") if given else None
    return locate(guest.dump(), vmlinux=vmlinux, **options)  # type: ignore[arg-type]


def booted(kernel: Kernel, **registers: int) -> Guest:
    guest = Guest()
    guest.boot(kernel)
    guest.run_cpu(kernel, **registers)
    return guest


def assert_found(location: Location, kernel: Kernel) -> None:
    assert location.found, (location.reason, location.evidence)
    assert location.phys_base == kernel.phys_base
    assert location.kaslr_offset == kernel.kaslr
    assert location.text_paddr == kernel.text_paddr
    assert location.page_table_levels == kernel.levels


KERNELS = {
    "plain": Kernel(),
    "five-levels": Kernel(levels=5),
    "no-kaslr": Kernel(kaslr=0, text_paddr=0x1000000),
    "negative-phys-base": Kernel(text_paddr=0x1000000, kaslr=0x20000000),
    "above-4g": Kernel(text_paddr=0x1_4000_0000),
    "c-bit-47": Kernel(cbit=1 << 47),
    "c-bit-51-five-levels": Kernel(cbit=1 << 51, levels=5),
    "fred": Kernel(fred=True),
    "linked-at-2m": Kernel(link=MAP + 0x200000, kaslr=0x1000000),
    "linked-at-32m": Kernel(link=MAP + 0x2000000),
    "2.6.32": Kernel(
        old_names=True, static_vmcoreinfo=True, kaslr=0, release="2.6.32-754.el6.x86_64"
    ),
}


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("use_cpu_state", [True, False])
def test_with_vmlinux(name: str, use_cpu_state: bool, tmp_path: Path) -> None:
    kernel = KERNELS[name]
    guest = booted(kernel)
    guest.ram = max(guest.ram, kernel.text_paddr + 64 * MIB)
    location = find(guest, kernel, tmp_path, use_cpu_state=use_cpu_state)
    assert_found(location, kernel)
    assert location.confidence == "certain"
    assert location.release == kernel.release
    assert location.build_id == kernel.build_id.hex()


@pytest.mark.parametrize("name", [n for n in KERNELS if n not in ("2.6.32",)])
def test_without_vmlinux_page_tables_and_vmcoreinfo_answer(name: str, tmp_path: Path) -> None:
    kernel = KERNELS[name]
    guest = booted(kernel)
    guest.ram = max(guest.ram, kernel.text_paddr + 64 * MIB)
    assert_found(find(guest, None, tmp_path), kernel)


@pytest.mark.parametrize("old", [False, True], ids=["4.18", "before"])
def test_struct_pages_of_any_version_are_known(old: bool, tmp_path: Path) -> None:
    guest, kernel, held = Guest(), Kernel(old_pages=old), []
    guest.boot(kernel)
    for pages in (0, 4 * MIB):
        guest.struct_pages(kernel, pages)
        evidence = find(guest, None, tmp_path).evidence
        held += [each.held for each in evidence if each.name == "memory_map"]
    assert held == [False, True]


def test_user_mode_with_page_table_isolation(tmp_path: Path) -> None:
    """The user half of the pair maps only the entry text; its even neighbour is the kernel's."""
    kernel = Kernel()
    guest = Guest()
    guest.boot(kernel)
    kernel_root, user_root = 0x8000000, 0x8001000
    guest.write(kernel_root, bytes(guest.pages[kernel.root // PAGE]))
    entry = kernel.run("_text") + PAGE
    guest.map(user_root, entry, kernel.text_paddr + PAGE, kernel, 0x8010000)
    guest.run_cpu(kernel, cr3=user_root | 0x801, cs=0x33, rip=0x401000)
    assert_found(find(guest, kernel, tmp_path), kernel)


def test_a_stale_kernel_is_not_the_answer_while_firmware_runs(tmp_path: Path) -> None:
    kernel = Kernel()
    guest = Guest()
    guest.boot(kernel)
    guest.write(0x9000000, (0x9001000 | 3).to_bytes(8, "little"))
    guest.cpus.append(Cpu(cr3=0x9000000, rip=0x1FF00000))
    location = find(guest, kernel, tmp_path)
    assert not location.found
    assert location.phys_base is None
    assert "no vCPU runs in a kernel" in location.reason
    assert [k["state"] for k in location.kernels] == ["stale"]


def test_real_mode_vcpus_run_in_no_kernel(tmp_path: Path) -> None:
    guest = Guest()
    guest.cpus.append(Cpu(cr0=0x60000010, cr3=0, cr4=0, rip=0xFFF0))
    location = find(guest, None, tmp_path)
    assert not location.found
    assert "real mode" in location.reason


def test_the_live_one_of_two_equal_kernels(tmp_path: Path) -> None:
    live = Kernel()
    stale = replace(live, text_paddr=0x6000000, kaslr=0x5000000, vmcoreinfo_page=0x140000)
    guest = Guest()
    guest.boot(stale)
    guest.boot(live)
    guest.run_cpu(live)
    location = find(guest, live, tmp_path, everything=True)
    assert_found(location, live)
    assert {k["state"] for k in location.kernels} == {"live", "stale"}


@pytest.mark.parametrize("given", [True, False])
def test_two_equal_kernels_and_no_cpu_state(given: bool, tmp_path: Path) -> None:
    one = Kernel()
    other = replace(one, text_paddr=0x6000000, kaslr=0x5000000, vmcoreinfo_page=0x140000)
    guest = Guest()
    guest.boot(one)
    guest.boot(other)
    location = find(guest, one if given else None, tmp_path)
    assert not location.found
    assert location.confidence == "none"
    assert {k["phys_base"] for k in location.kernels} == {
        f"{k.phys_base & (1 << 64) - 1:#x}" for k in (one, other)
    }


def test_a_kernel_asked_for_is_no_surer_than_that_it_ran(tmp_path: Path) -> None:
    one = Kernel()
    other = replace(one, text_paddr=0x6000000, kaslr=0x5000000, vmcoreinfo_page=0x140000)
    guest = Guest()
    guest.boot(one)
    guest.boot(other)
    asked = find(guest, one, tmp_path, kernel="0x6000000")
    assert_found(asked, other)
    assert asked.confidence == "weak"
    guest.run_cpu(one)
    asked = find(guest, one, tmp_path, kernel="0x6000000")
    assert_found(asked, other)
    assert asked.confidence == "weak"
    assert "stale" in asked.reason
    live = find(guest, one, tmp_path, kernel="0x3000000")
    assert_found(live, one)
    assert live.confidence == "certain"
    nobody = find(guest, one, tmp_path, kernel="0x9000000")
    assert not nobody.found
    assert "0x3000000" in nobody.reason


def test_ids_are_the_same_whatever_was_searched(tmp_path: Path) -> None:
    live = Kernel()
    stale = replace(live, text_paddr=0x2000000, kaslr=0x5000000, vmcoreinfo_page=0x140000)
    guest = Guest()
    guest.boot(stale)
    guest.boot(live)
    guest.run_cpu(live)
    few, every = (find(guest, live, tmp_path, everything=e).kernels for e in (False, True))
    assert [k["id"] for k in few] == ["0x3000000"]
    assert [k["id"] for k in every] == ["0x2000000", "0x3000000"]


def test_vcpus_in_two_kernels_contradict(tmp_path: Path) -> None:
    one = Kernel()
    other = replace(one, text_paddr=0x6000000, kaslr=0x5000000, vmcoreinfo_page=0x140000)
    guest = Guest()
    for kernel in (one, other):
        guest.boot(kernel)
        guest.run_cpu(kernel)
    location = find(guest, one, tmp_path)
    assert not location.found
    assert f"{one.text_paddr:#x}" in location.reason
    assert f"{other.text_paddr:#x}" in location.reason


def test_another_build_is_found_and_said_not_to_fit(tmp_path: Path) -> None:
    kernel = Kernel()
    other = Kernel(release="5.10.0-other", build_id=bytes(20))
    location = find(booted(kernel), other, tmp_path)
    assert_found(location, kernel)
    assert location.vmlinux_fits is False
    (misfit,) = (w for w in location.warnings if "does not fit" in w)
    assert "5.10.0-other" in misfit
    assert kernel.release in misfit
    assert len(misfit) < 300 + len(str(tmp_path))


def test_of_several_vmlinux_the_matching_one_is_taken(tmp_path: Path) -> None:
    kernel = Kernel()
    wrong = write_vmlinux(Kernel(release="5.10.0", build_id=bytes(20)), tmp_path / "vmlinux-a")
    right = write_vmlinux(kernel, tmp_path / "vmlinux-b")
    for given in ([wrong, right], [right, wrong], [str(tmp_path)]):
        for cpu in (True, False):
            location = locate(booted(kernel).dump(), vmlinux=given, use_cpu_state=cpu)
            assert_found(location, kernel)
            assert location.vmlinux_fits


def test_two_vmlinux_that_both_fit_a_kernel_decide_nothing(tmp_path: Path) -> None:
    """Without vCPU state, a kernel of either build in memory: the order must not choose."""
    one = Kernel()
    other = Kernel(text_paddr=0x6000000, kaslr=0x5000000, vmcoreinfo_page=0x140000,
                   release="5.10.0", build_id=bytes(20))  # fmt: skip
    guest = Guest()
    guest.boot(one)
    guest.boot(other)
    paths = [write_vmlinux(k, tmp_path / f"vmlinux-{n}") for n, k in enumerate((one, other))]
    for given in (paths, paths[::-1]):
        location = locate(guest.dump(), vmlinux=given)
        assert not location.found
        assert any("more than one" in w or "2 of the vmlinux" in w for w in location.warnings)


def test_a_directory_of_thousands_of_files(tmp_path: Path) -> None:
    """As /usr/lib/debug has: the index by build ID finds the vmlinux among modules."""
    kernel = Kernel()
    modules = tmp_path / "lib" / "modules"
    modules.mkdir(parents=True)
    for number in range(3000):
        (modules / f"module{number}.ko.debug").touch()
    for number in range(12):
        wrong = Kernel(release=f"5.10.{number}", build_id=bytes([number]) * 20)
        write_vmlinux(wrong, modules / f"vmlinux-{number:02}")
    index = tmp_path / ".build-id" / kernel.build_id.hex()[:2]
    index.mkdir(parents=True)
    write_vmlinux(kernel, index / f"{kernel.build_id.hex()[2:]}.debug")
    guest = booted(kernel)
    guest.note = kernel.vmcoreinfo()
    assert_found(locate(guest.dump(), vmlinux=[str(tmp_path)]), kernel)


def test_early_boot_tables_map_the_window_from_its_start(tmp_path: Path) -> None:
    """Before cleanup_highmap the mapping's start says nothing of _text; the banner does."""
    kernel = Kernel()
    guest = booted(kernel)
    pmd = kernel.paddr("level2_kernel_pgt")
    for index in range(64):
        guest.u64(pmd + index * 8, kernel.phys_base + index * (2 << 20) | 0x1E3)
    assert_found(find(guest, kernel, tmp_path), kernel)


def crashed_and_capture(**capture: object) -> tuple[Guest, Kernel, Kernel]:
    """A kernel that crashed and the capture kernel that runs, told of it as kexec tells."""
    crashed = Kernel(panic_cpu=0, reserved=(0xC000000, 0xEFFFFFF))
    options = {"command_line": "elfcorehdr=0xe000000 nr_cpus=1", **capture}
    runs = replace(crashed, text_paddr=0xC000000, kaslr=0x8000000, vmcoreinfo_page=0xD000000,
                   panic_cpu=-1, reserved=(0, 0), **options)  # type: ignore[arg-type]  # fmt: skip
    guest = Guest()
    guest.boot(crashed)
    guest.boot(runs)
    header = 0xE000000
    guest.write(header, b"\x7fELF\x02\x01\x01".ljust(16, b"\0"))
    guest.u64(header + 32, 64)
    guest.write(header + 54, struct.pack("<HH", 56, 1))
    guest.write(
        header + 64,
        struct.pack("<IIQQQQQQ", 1, 7, crashed.text_paddr, crashed.run("_text"),
                    crashed.text_paddr, 8 * MIB, 8 * MIB, 0),
    )  # fmt: skip
    guest.u64(runs.paddr("elfcorehdr_addr"), header)
    guest.run_cpu(runs)
    return guest, crashed, runs


def test_a_capture_kernel_leads_to_the_crashed_one(tmp_path: Path) -> None:
    guest, crashed, capture = crashed_and_capture()
    location = find(guest, crashed, tmp_path)
    assert_found(location, crashed)
    assert {k["state"] for k in location.kernels} == {"crashed", "capture"}
    assert_found(find(guest, crashed, tmp_path, kernel="live"), capture)


@pytest.mark.parametrize(
    ("symbol", "value"),
    [("panic_cpu", b"\xff" * 4), ("crashk_res", struct.pack("<2Q", 0x1000000, 0x1FFFFFF))],
)
def test_a_victim_that_knows_of_no_crash_is_none(symbol: str, value: bytes, tmp_path: Path) -> None:
    """The kernel said to have crashed must have set memory aside, and noted the crash."""
    guest, crashed, _ = crashed_and_capture()
    guest.write(crashed.paddr(symbol), value)
    location = find(guest, crashed, tmp_path)
    assert not location.found
    assert "can't be told" in location.reason


def test_a_command_line_without_elfcorehdr_contradicts(tmp_path: Path) -> None:
    guest, _, capture = crashed_and_capture(command_line="console=ttyS0")
    location = find(guest, capture, tmp_path)
    assert_found(location, capture)
    assert any("no capture kernel" in warning for warning in location.warnings)


def test_a_used_header_leads_back_by_the_memory_set_aside(tmp_path: Path) -> None:
    """The device tree told of it; nothing of it is left but the mark that it was used."""
    guest, crashed, capture = crashed_and_capture(command_line="console=ttyS0")
    guest.u64(capture.paddr("elfcorehdr_addr"), -2)
    guest.u64(capture.root + (capture.direct_map >> 39 & 511) * 8, 0)  # knows little of RAM
    location = find(guest, crashed, tmp_path)
    assert_found(location, crashed)
    assert {k["state"] for k in location.kernels} == {"crashed", "capture"}
    guest.write(crashed.paddr("panic_cpu"), b"\xff" * 4)
    assert not find(guest, crashed, tmp_path).found


def test_encrypted_memory_is_named_as_such(tmp_path: Path) -> None:
    random = Random(1)
    guest = Guest(ram=MIB)
    for pfn in range(256):
        guest.pages[pfn] = bytearray(random.randbytes(PAGE))
    location = find(guest, None, tmp_path)
    assert not location.found
    assert any("encrypted" in warning for warning in location.warnings)


def test_empty_memory_is_not_called_encrypted(tmp_path: Path) -> None:
    location = find(Guest(), None, tmp_path)
    assert not location.found
    assert not location.warnings


def test_without_symbols_a_capture_kernel_is_not_taken_for_the_answer(tmp_path: Path) -> None:
    """Neither vmlinux nor kallsyms: the kernel that runs may be there because another crashed."""
    crashed = Kernel()
    capture = replace(crashed, text_paddr=0xC000000, kaslr=0x8000000, vmcoreinfo_page=0xD000000)
    guest = Guest()
    guest.boot(crashed)
    guest.boot(capture)
    guest.run_cpu(capture)
    location = find(guest, None, tmp_path)
    assert not location.found
    assert "capture kernel" in location.reason
    assert len(location.kernels) == 2


def test_the_placement_in_the_terms_of_every_architecture(tmp_path: Path) -> None:
    """kimage_voffset is the placement, whatever the architecture calls it."""
    kernel = Kernel()
    answer = find(booted(kernel), kernel, tmp_path).to_json()
    voffset = kernel.run("_text") - kernel.text_paddr
    assert answer["kimage_voffset"] == f"{voffset & (1 << 64) - 1:#x}"
    assert answer["kernels"][0]["id"] == f"{kernel.text_paddr:#x}"
