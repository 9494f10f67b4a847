# SPDX-License-Identifier: GPL-3.0-or-later
"""The log's ring, as it is caught: half written, overwritten, or made to mislead."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crashext.kernel.log import Log, LogError, read_log

from .memory import BASE, RingWriter


def log_of(ring: RingWriter) -> Log:
    return read_log(ring.kernel())  # type: ignore[arg-type]


def texts(log: Log) -> list[bytes]:
    return [record.text for record in log.records]


def test_messages_come_in_order_with_what_goes_along() -> None:
    ring = RingWriter()
    ring.add(b"first", level=3)
    ring.add(b"two\nlines")
    log = log_of(ring)
    assert texts(log) == [b"first", b"two\nlines"]
    assert [(r.seq, r.level, r.nanoseconds, r.who) for r in log.records] == [
        (0, 3, 0, "T1"),
        (1, 6, 1000, "T1"),
    ]
    assert log.problems == ()


def test_a_ring_that_went_round_has_the_last_messages() -> None:
    ring = RingWriter()
    for i in range(100):
        ring.add(b"message %d" % i)
    log = log_of(ring)
    assert texts(log) == [b"message %d" % i for i in range(84, 100)]


def test_text_that_was_overwritten_is_none() -> None:
    """The text ring goes round before the descriptors do: their old messages are gone."""
    ring = RingWriter()
    for i in range(10):
        ring.add(b"%d" % i + b"x" * 100)
    log = log_of(ring)
    assert texts(log) == [b"%d" % i + b"x" * 100 for i in range(6, 10)]
    assert log.problems == ("6 messages without text: it is overwritten, or was never written",)


def test_what_is_being_written_is_left_out_and_said() -> None:
    ring = RingWriter()
    ring.add(b"done")
    ring.add(b"half", state=0)
    ring.add(b"may grow", state=1)
    log = log_of(ring)
    assert texts(log) == [b"done", b"may grow"]
    assert log.problems == ("1 message being written at that moment",)


@pytest.mark.parametrize("begin, end", [(0, 1 << 40), (64, 0), (7, 9), (1 << 63, 8)])
def test_descriptors_that_lie_give_no_text(begin: int, end: int) -> None:
    ring = RingWriter()
    ring.add(b"true")
    number = ring.add(b"lying")
    at = ring.DESCS + 24 * (number % 16) + 8
    struct.pack_into("<QQ", ring.memory, at, begin, end)
    log = log_of(ring)
    assert texts(log) == [b"true"]


def test_two_descriptors_with_one_text_show_it_once() -> None:
    ring = RingWriter()
    first, second = ring.add(b"mine"), ring.add(b"yours")
    place = ring.DESCS + 24 * (first % 16) + 8
    other = ring.DESCS + 24 * (second % 16) + 8
    ring.memory[other : other + 16] = ring.memory[place : place + 16]
    assert texts(log_of(ring)) == [b"mine"]


def test_a_length_beyond_the_text_reads_no_further() -> None:
    ring = RingWriter()
    number = ring.add(b"short")
    ring.add(b"the next")
    struct.pack_into("<H", ring.memory, ring.INFOS + 88 * (number % 16) + 16, 0xFFFF)
    assert texts(log_of(ring))[0].rstrip(b"\0") == b"short"


@pytest.mark.parametrize("at, bits", [(0x100, 31), (0x100, 0), (0x130, 63), (0x130, 29)])
def test_sizes_that_no_ring_has(at: int, bits: int) -> None:
    ring = RingWriter()
    ring.add(b"text")
    struct.pack_into("<I", ring.memory, at, bits)
    with pytest.raises(LogError):
        log_of(ring)


def test_a_ring_that_is_not_in_the_dump() -> None:
    ring = RingWriter()
    struct.pack_into("<Q", ring.memory, 0, BASE + (1 << 30))
    with pytest.raises(LogError, match="not in the dump"):
        log_of(ring)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 0xBFF), st.integers(0, 255)), max_size=12))
def test_damage_gives_an_answer_or_one_reason(damage: list[tuple[int, int]]) -> None:
    ring = RingWriter()
    for i in range(20):
        ring.add(b"message %d" % i)
    for at, value in damage:
        ring.memory[at] = value
    try:
        log = log_of(ring)
    except LogError as problem:
        assert "\n" not in str(problem)
        return
    assert len(log.records) <= 1 << ring.COUNT_BITS
    assert all(len(record.text) <= 1 << ring.TEXT_BITS for record in log.records)
