# SPDX-License-Identifier: GPL-3.0-or-later
"""From a console's text to a kernel's whereabouts."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from lab import truth
from lab.errors import LabError

NOTES = struct.pack("<3I", 4, 6, 6) + b"Xen\0linux\0\0\0"
NOTES += struct.pack("<3I", 4, 20, 3) + b"GNU\0" + bytes(range(20))

CONSOLE = f"""
[    0.000000] noise
=== LAB TRUTH BEGIN running
release 6.1.0-test
version Linux version 6.1.0-test (a@b) #1 SMP
cmdline console=ttyS0 quiet
vmcoreinfo 1d786000 1024
notes {NOTES.hex()}
online 0-3
la57 4
iomem 00100000-1e971fff : System RAM
iomem 0ee00000-0fffffff : Kernel code
symbol ffffffffa9e00000 T _text
symbol ffffffffa9e00000 T _stext
=== LAB TRUTH END running
=== LAB READY running
"""


def test_a_truth_is_understood() -> None:
    (told,) = truth.parse(CONSOLE)
    assert told.release == "6.1.0-test"
    assert told.text_vaddr == 0xFFFFFFFFA9E00000
    assert told.text_paddr == 0xEE00000
    assert told.phys_base == 0xEE00000 - 0x29E00000
    assert told.build_id == bytes(range(20)).hex()
    assert told.page_table_levels == 5
    assert told.vmcoreinfo_paddr == 0x1D786000


def test_its_json_has_the_words_of_physbase() -> None:
    (told,) = truth.parse(CONSOLE)
    facts = told.to_json(link_text=0xFFFFFFFF81000000)
    assert facts["kaslr_offset"] == "0x28e00000"
    assert facts["phys_base"] == "0xffffffffe5000000"
    assert facts["symbols"]["_text"] == "0xffffffffa9e00000"


def test_each_kernel_of_a_console_tells_its_own() -> None:
    second = CONSOLE.replace("running", "capture").replace("0ee00000", "02000000")
    told = truth.parse(CONSOLE + second)
    assert [each.label for each in told] == ["running", "capture"]
    assert [each.text_paddr for each in told] == [0xEE00000, 0x2000000]


def test_a_block_without_end_is_no_truth() -> None:
    assert truth.parse(CONSOLE.replace("=== LAB TRUTH END running\n", "")) == []


@pytest.mark.parametrize("lost", ["_text", "Kernel code"])
def test_a_truth_that_lacks_the_essential_is_refused(lost: str) -> None:
    kept = [line for line in CONSOLE.splitlines() if not line.endswith(lost)]
    with pytest.raises(LabError, match="did not show"):
        truth.parse("\n".join(kept) + "\n")


def test_registers_of_all_vcpus() -> None:
    text = (
        "\r\nCPU#0\nRAX=0000000000000001 RIP=ffffffff81000000 CPL=0 II=0 A20=1 SMM=0 HLT=1\n"
        "CR0=80050033 CR2=0 CR3=000000001fd18000 CR4=000006f0\n"
        "\r\nCPU#1\nEAX=00000000 EIP=0000fff0 CPL=3 II=0 A20=1 SMM=0 HLT=0\n"
        "CR0=60000010 CR2=0 CR3=00000000 CR4=00000000\n"
    )
    first, second = truth.parse_registers(text)
    assert first == {"ip": "0xffffffff81000000", "cr3": "0x1fd18000", "privilege": 0, "halted": 1}
    assert second == {"ip": "0xfff0", "cr3": "0x0", "privilege": 3, "halted": 0}


def test_link_address_of_a_sample(samples: Path) -> None:
    for vmlinux in samples.glob("vmlinux-*"):
        start = 0x4000000 if vmlinux.name.endswith("-odd") else 0x1000000
        assert truth.link_address(vmlinux) == 0xFFFFFFFF80000000 + start
