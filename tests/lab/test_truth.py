# SPDX-License-Identifier: GPL-3.0-or-later
"""From a console's text to a kernel's whereabouts."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from lab import truth
from lab.errors import LabError
from lab.registers import vcpus
from lab.target import TARGETS

X86_64, AARCH64 = TARGETS["x86_64"], TARGETS["aarch64"]
AUXV = struct.pack("<6Q", 16, 0x1234, 6, 4096, 0, 0)
NOTES = struct.pack("<3I", 4, 6, 6) + b"Xen\0linux\0\0\0"
NOTES += struct.pack("<3I", 4, 20, 3) + b"GNU\0" + bytes(range(20))

LINKED = 0xFFFFFFFF81000000

CONSOLE = f"""
[    0.000000] noise
=== LAB TRUTH BEGIN running
release 6.1.0-test
version Linux version 6.1.0-test (a@b) #1 SMP
cmdline console=ttyS0 quiet
vmcoreinfo 1d786000 1024
notes {NOTES.hex()}
online 0-3
auxv {AUXV.hex()}
la57 4
iomem 00100000-1e971fff : System RAM
iomem 0ee00000-0fffffff : Kernel code
symbol ffffffffa9e00000 T _text
symbol ffffffffa9e00000 T _stext
=== LAB TRUTH END running
=== LAB READY running
"""


def test_a_truth_is_understood() -> None:
    (told,) = truth.parse(CONSOLE, X86_64)
    assert told.release == "6.1.0-test"
    assert told.text_vaddr == 0xFFFFFFFFA9E00000
    assert told.text_paddr == 0xEE00000
    assert told.phys_base == 0xEE00000 - 0x29E00000
    assert told.build_id == bytes(range(20)).hex()
    assert told.la57
    assert told.page_size == 4096
    assert told.vmcoreinfo == (0x1D786000, 0x1024)


def test_its_json_has_the_words_of_physbase() -> None:
    (told,) = truth.parse(CONSOLE, X86_64)
    told.complete({"_text": LINKED, "_stext": LINKED, "phys_base": LINKED + 0x1600000})
    facts = told.to_json()
    assert facts["arch"] == "x86_64"
    assert facts["kaslr_offset"] == "0x28e00000"
    assert facts["phys_base"] == "0xffffffffe5000000"
    assert facts["kimage_voffset"] == "0xffffffff9b000000"
    assert facts["symbols"]["_text"] == "0xffffffffa9e00000"
    assert facts["symbols"]["phys_base"] == "0xffffffffab400000"


def test_an_image_lies_where_its_target_says() -> None:
    """On aarch64 the code of one version starts at _text, of another at _stext."""
    console = CONSOLE.replace("Kernel code", "Kernel data").replace("_text", "_sdata")
    (told,) = truth.parse(console, AARCH64)
    told.complete({"_text": LINKED - 0x10000, "_stext": LINKED, "_sdata": LINKED})
    facts = told.to_json()
    assert facts["phys_base"] is None
    assert facts["text_vaddr"] == "0xffffffffa9df0000"
    assert facts["text_paddr"] == "0xedf0000"
    assert facts["kaslr_offset"] == "0x28e00000"


def test_a_vmlinux_without_its_place_is_refused() -> None:
    (told,) = truth.parse(CONSOLE, X86_64)
    with pytest.raises(LabError, match="lacks one of"):
        told.complete({"_stext": LINKED})


def test_each_kernel_of_a_console_tells_its_own() -> None:
    second = CONSOLE.replace("running", "capture").replace("0ee00000", "02000000")
    told = truth.parse(CONSOLE + second, X86_64)
    assert [each.label for each in told] == ["running", "capture"]
    assert [each.text_paddr for each in told] == [0xEE00000, 0x2000000]


def test_a_block_without_end_is_no_truth() -> None:
    assert truth.parse(CONSOLE.replace("=== LAB TRUTH END running\n", ""), X86_64) == []


@pytest.mark.parametrize("lost", ["_stext", "Kernel code", AUXV.hex()])
def test_a_truth_that_lacks_the_essential_is_refused(lost: str) -> None:
    kept = [line for line in CONSOLE.splitlines() if not line.endswith(lost)]
    with pytest.raises(LabError, match="did not show"):
        truth.parse("\n".join(kept) + "\n", X86_64)


def test_registers_of_all_vcpus() -> None:
    text = (
        "\r\nCPU#0\nRAX=0000000000000001 RIP=ffffffff81000000 CPL=0 II=0 A20=1 SMM=0 HLT=1\n"
        "CR0=80050033 CR2=0 CR3=000000001fd18000 CR4=000006f0\n"
        "\r\nCPU#1\nEAX=00000000 EIP=0000fff0 CPL=3 II=0 A20=1 SMM=0 HLT=0\n"
        "CR0=60000010 CR2=0 CR3=00000000 CR4=00000000\n"
    )
    first, second = vcpus(text, (), X86_64)
    assert first == {"ip": "0xffffffff81000000", "cr3": "0x1fd18000", "privilege": 0, "halted": 1}
    assert second == {"ip": "0xfff0", "cr3": "0x0", "privilege": 3, "halted": 0}


@pytest.mark.parametrize(("hcr", "level"), [(0, "EL1"), (1 << 34, "EL2")])
def test_a_kernel_in_el2_has_tables_of_its_own(hcr: int, level: str) -> None:
    text = " PC=ffffd3a1ea5af4fc X00=0000000000000000\nPSTATE=400000c5 -Z-- EL1h    FPCR=0\n"
    names = ("TTBR0", "TTBR1", "TCR")
    system = {f"{name}_EL{n}": n * 16 + at for n in (1, 2) for at, name in enumerate(names)}
    (cpu,) = vcpus(text, [{**system, "HCR_EL2": hcr}], AARCH64)
    assert cpu["ip"] == "0xffffd3a1ea5af4fc"
    assert cpu["privilege"] == 1
    assert cpu["ttbr1"] == f"{system[f'TTBR1_{level}']:#x}"


def test_words_of_another_byte_order() -> None:
    auxv = struct.pack(">6Q", 16, 0x1234, 6, 65536, 0, 0)
    big = replace(X86_64, byte_order="big")
    assert truth.page_size(auxv, big) == 65536
    notes = struct.pack(">3I", 4, 20, 3) + b"GNU\0" + bytes(range(20))
    assert truth.build_id(notes, big) == bytes(range(20)).hex()
