# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import struct
import tracemalloc

import pytest

from crashext import (
    CorruptDump,
    ExcludedPage,
    MissingMemory,
    Range,
    TruncatedPage,
    UnsupportedDump,
)

from .conftest import Opener, page
from .writers.elf_writer import Elf, Load
from .writers.notes import note, qemu_notes

LOW = page(1) * 10
HIGH = page(2) * 3
LOADS = [Load(0, LOW), Load(0x100000000, HIGH)]


@pytest.mark.parametrize("sections", [False, True])
@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize(("bits", "machine", "arch"), [(64, 62, "x86_64"), (32, 40, "arm")])
def test_widths_and_orders(
    opened: Opener, bits: int, machine: int, arch: str, order: str, sections: bool
) -> None:
    loads = [Load(0x1000, LOW), Load(0x80000000, HIGH)]
    notes = qemu_notes(2, order=order) + note(b"VMCOREINFO", 0, b"OSRELEASE=1\n\0", order)
    spec = Elf(loads, bits, order, machine, notes, sections)
    with opened(spec.write()) as dump:
        assert (dump.format, dump.arch, dump.byte_order) == ("elf", arch, order)
        assert dump.complete and not dump.warnings and dump.compression == "none"
        assert dump.ram == (Range(0x1000, 0xB000), Range(0x80000000, 0x80003000))
        assert [n.name for n in dump.notes] == ["CORE", "CORE", "QEMU", "QEMU", "VMCOREINFO"]
        assert dump.vmcoreinfo == b"OSRELEASE=1\n"
        assert dump.read(0x1000, len(LOW)) == LOW
        assert dump.read(0x80002FFF, 1) == HIGH[-1:]
        assert dump.header.bits == bits and dump.header.e_phnum == 3
        assert len(list(dump.page_heads(16))) == 13


def test_holes_and_absent_segments(opened: Opener) -> None:
    loads = [Load(0, LOW, memsz=0x10000), Load(0x20000, b"", 0x1000, absent=True)]
    dump = opened(Elf(loads).write())
    assert dump.ram == (Range(0, 0x10000),)
    with pytest.raises(ExcludedPage) as caught:
        dump.read(0x9FFF, 2)
    assert caught.value.paddr == 0xA000
    for paddr in (0x20000, 0x10000, 1 << 65):
        with pytest.raises(MissingMemory):
            dump.read(paddr, 1)


def test_unsorted_overlapping_and_shared_segments(opened: Opener) -> None:
    kernel = 0xFFFFFFFF80000000
    loads = [
        Load(0x8000, HIGH), Load(0, LOW[:0x8000], vaddr=kernel),
        Load(0, LOW[:0x8000], vaddr=0xFFFF888000000000, shares=1),
        Load(0x9000, HIGH[0x1000:], vaddr=0x400000, shares=0),
    ]  # fmt: skip
    spec = Elf(loads)
    image = bytearray(spec.write())
    dump = opened(bytes(image))
    assert dump.ram == (Range(0, 0xB000),)
    assert dump.read(0, 0x9000) == LOW[:0x8000] + HIGH[:0x1000]
    assert [s.p_vaddr for s in dump.header.segments][2] == kernel


@pytest.mark.parametrize("sections", [False, True])
@pytest.mark.parametrize("info", [None, 0, 7, 0xFFFFFFFF])
@pytest.mark.parametrize("bits", [32, 64])
def test_more_than_65534_segments(
    opened: Opener, bits: int, sections: bool, info: int | None
) -> None:
    data = b"".join(n.to_bytes(4, "little") for n in range(0x10000))
    loads = [Load(n * 8192, data[n * 4 : n * 4 + 4]) for n in range(0x10000)]
    spec = Elf(loads, bits, machine=62, notes=qemu_notes(1), sections=sections, xnum=True,
               xnum_info=info)  # fmt: skip
    dump = opened(spec.write())
    assert len(dump.ram) == 0x10000 and len(dump.notes) == 2
    assert dump.read(0xFFFF * 8192, 4) == data[-4:]


def test_cut_off(opened: Opener) -> None:
    image = Elf(LOADS, notes=qemu_notes(1)).write()
    dump = opened(image[:-5000])
    assert not dump.complete and "ends inside" in dump.warnings[0]
    assert dump.read(0x100000000, 4096) == HIGH[:4096]
    with pytest.raises(TruncatedPage) as caught:
        dump.read(0x100001000, 4096)
    assert caught.value.paddr == 0x100000000 + len(HIGH) - 5000
    notes_cut = opened(image[: image.index(b"CORE") + 100])
    assert not notes_cut.complete
    with pytest.raises(CorruptDump):
        opened(image[:100])


@pytest.mark.parametrize(
    ("offset", "code", "value", "error"),
    [
        (4, "B", 3, CorruptDump), (5, "B", 0, CorruptDump), (16, "H", 2, UnsupportedDump),
        (32, "Q", 1 << 60, CorruptDump), (54, "H", 55, CorruptDump), (56, "H", 0xFFFF, CorruptDump),
        (56, "H", 0xFFFE, CorruptDump),
        (64 + 128 + 56 + 24, "Q", (1 << 64) - 1, CorruptDump),
        (64 + 128 + 56 + 32, "Q", (1 << 64) - 1, CorruptDump),
        (64 + 128 + 56 + 40, "Q", 1 << 60, CorruptDump),
    ],
)  # fmt: skip
def test_absurd_headers(
    opened: Opener, offset: int, code: str, value: int, error: type[Exception]
) -> None:
    image = bytearray(Elf(LOADS, notes=qemu_notes(1)).write())
    struct.pack_into("<" + code, image, offset, value)
    with pytest.raises(error) as caught:
        opened(bytes(image))
    assert "dump0" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [(b"Xen", 0x1000001, "Xen"), (b"VBCORE", 0xB00, "VirtualBox"), (b"CORE", 6, "user-space")],
)
def test_foreign_cores_are_named(opened: Opener, name: bytes, kind: int, expected: str) -> None:
    with pytest.raises(UnsupportedDump, match=expected):
        opened(Elf(LOADS, notes=note(name, kind, bytes(20))).write())


def test_the_core_of_qemu_itself(opened: Opener) -> None:
    info = bytes(40) + b"qemu-system-x86\0" + bytes(80)
    notes = note(b"CORE", 1, bytes(336)) + note(b"CORE", 3, info) + note(b"CORE", 6, bytes(320))
    with pytest.raises(UnsupportedDump, match=r"\(qemu-system-x86\).*dump-guest-memory.py"):
        opened(Elf([Load(0, LOW, vaddr=0x400000)], notes=notes).write())


@pytest.mark.parametrize("bits", [32, 64])
def test_xen_core_of_sections_alone(opened: Opener, bits: int) -> None:
    image = bytearray(Elf([], bits, notes=bytes(200)).write())
    wide = bits == 64
    struct.pack_into("<H", image, 56 if wide else 44, 0)
    section = 64 + 64 if wide else 52 + 40
    names = b"\0.shstrtab\0.note.Xen\0"
    at = image.index(bytes(200))
    image[at : at + len(names)] = names
    place = (at, len(names))
    struct.pack_into("<QQ" if wide else "<II", image, section + (24 if wide else 16), *place)
    with pytest.raises(UnsupportedDump, match="Xen"):
        opened(bytes(image))
    with pytest.raises(CorruptDump, match="without program headers"):
        opened(bytes(image).replace(b".note.Xen", b".note.Xyz"))


def test_notes_that_claim_gigabytes_cost_nothing(opened: Opener) -> None:
    image = bytearray(Elf(LOADS, notes=qemu_notes(1)).write())
    struct.pack_into("<Q", image, 64 + 128 + 32, 1 << 32)
    tracemalloc.start()
    try:
        dump = opened(bytes(image))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert not dump.complete and [n.name for n in dump.notes][:2] == ["CORE", "QEMU"]
