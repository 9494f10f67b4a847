# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from crashext.dumps.base import ByteOrder
from crashext.notes import arch_of_notes, note_named, walk_notes

from .dumps.writers.notes import note, qemu_notes


def test_order_names_and_offsets() -> None:
    data = qemu_notes(2) + note(b"VMCOREINFO", 0, b"abc")
    notes = walk_notes(data, "little", 0x1000)
    assert [n.name for n in notes] == ["CORE", "CORE", "QEMU", "QEMU", "VMCOREINFO"]
    assert notes[1].offset == 0x1000 + 12 + 8 + 336
    assert notes[1].desc == b"\x02" * 336
    found = note_named(notes, "VMCOREINFO")
    assert found and found.desc == b"abc"
    assert arch_of_notes(notes, "little") == "x86_64"
    assert arch_of_notes(walk_notes(qemu_notes(1, order="big"), "big"), "big") == "s390x"
    assert note_named(notes, "nothing") is None


def test_the_walk_ends_at_a_zero_header_and_at_a_note_too_long() -> None:
    one = note(b"A", 1, b"x")
    assert len(walk_notes(one + bytes(12) + one, "little")) == 1
    assert len(walk_notes(one + b"\xff" * 12 + one, "little")) == 1
    assert len(walk_notes(one + one[:-5], "little")) == 1


def test_eight_byte_alignment_where_the_segment_says_so() -> None:
    raw = (5).to_bytes(4, "little") + (4).to_bytes(4, "little") + (7).to_bytes(4, "little")
    data = (raw + b"GNU2\0" + bytes(7) + b"desc" + bytes(4)) * 2
    assert [n.desc for n in walk_notes(data, "little", align=8)] == [b"desc"] * 2


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_never_raises(data: bytes) -> None:
    orders: tuple[ByteOrder, ...] = ("little", "big")
    for order in orders:
        for found in walk_notes(data, order):
            assert len(found.desc) <= len(data)
