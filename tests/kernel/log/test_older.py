# SPDX-License-Identifier: GPL-3.0-or-later
"""The logs of kernels before 5.10, which no guest of the lab runs: made up by their sources."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crashext.kernel.log import Log, LogError, read_log

from .memory import BASE, RECORDS_INFO, FakeKernel

_VARIABLES = ("log_buf", "log_buf_len", "log_first_idx", "log_next_idx")
_PLACES = {name: BASE + 16 * i for i, name in enumerate(_VARIABLES)}
_BUFFER = 0x100


def record(text: bytes, nanoseconds: int, dictionary: bytes = b"", level: int = 6) -> bytes:
    """``struct printk_log`` with its text, dictionary and padding (log_store())."""
    length = -(-(16 + len(text) + len(dictionary)) // 8) * 8
    head = struct.pack("<QHHHBB", nanoseconds, length, len(text), len(dictionary), 0, level << 5)
    return (head + text + dictionary).ljust(length, b"\0")


def kernel(buffer: bytes, first: int, after: int) -> FakeKernel:
    memory = bytearray(_BUFFER + len(buffer))
    struct.pack_into("<Q", memory, 0, BASE + _BUFFER)
    for i, value in enumerate((len(buffer), first, after), 1):
        struct.pack_into("<I", memory, 16 * i, value)
    memory[_BUFFER:] = buffer
    return FakeKernel(memory, RECORDS_INFO.format(**_PLACES))


def log_of(fake: FakeKernel) -> Log:
    return read_log(fake)  # type: ignore[arg-type]


def test_records_one_behind_the_other() -> None:
    device = b"SUBSYSTEM=pci\0DEVICE=+pci:0000:00:01.0"
    both = record(b"first", 0, level=4) + record(b"second", 1000, device)
    log = log_of(kernel(both.ljust(256, b"\0"), 0, len(both)))
    assert [(r.text, r.nanoseconds, r.level) for r in log.records] == [
        (b"first", 0, 4),
        (b"second", 1000, 6),
    ]
    assert log.records[1].device == {"SUBSYSTEM": "pci", "DEVICE": "+pci:0000:00:01.0"}
    assert log.kind == "records" and log.problems == ()


def test_records_go_on_at_the_beginning() -> None:
    new, old = record(b"newest", 3), record(b"oldest", 1) + record(b"older", 2)
    gap = 256 - len(old) - 16
    buffer = new.ljust(gap, b"\xee") + old + bytes(16)
    log = log_of(kernel(buffer, gap, len(new)))
    assert [r.text for r in log.records] == [b"oldest", b"older", b"newest"]


@pytest.mark.parametrize("length", [4, 0xFFFF])
def test_a_length_that_lies_ends_the_log_and_is_said(length: int) -> None:
    good, bad = record(b"good", 0), bytearray(record(b"bad", 1))
    struct.pack_into("<H", bad, 8, length)
    log = log_of(kernel((good + bad).ljust(256, b"\0"), 0, 200))
    assert [r.text for r in log.records] == [b"good"]
    assert len(log.problems) == 1


def test_zeros_lead_to_the_beginning_only_once() -> None:
    log = log_of(kernel(bytes(256), 128, 64))
    assert log.records == () and len(log.problems) == 1


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=64, max_size=512), st.integers(0, 600), st.integers(0, 600))
def test_any_bytes_give_an_answer_or_one_reason(data: bytes, first: int, after: int) -> None:
    try:
        log = log_of(kernel(data, first, after))
    except LogError as problem:
        assert "\n" not in str(problem)
        return
    assert sum(len(r.text) for r in log.records) <= 2 * len(data)


def plain(text: bytes, end: int, kept: int) -> FakeKernel:
    memory = bytearray(0x100 + len(text))
    struct.pack_into("<Q", memory, 0, BASE + 0x100)
    for i, value in enumerate((len(text), end, kept), 1):
        struct.pack_into("<I", memory, 16 * i, value)
    memory[0x100:] = text
    names = ("log_buf", "log_buf_len", "log_end", "logged_chars")
    return FakeKernel(memory, "", {name: BASE + 16 * i for i, name in enumerate(names)})


def test_plain_text_that_went_round() -> None:
    text = b"<6>[    1.000002] new\n<4>old\n<3>older\n"
    turned = text[20:] + text[:20]  # what is at 0 is newer than what follows it
    log = log_of(plain(turned, len(turned) - 20 + 0x1000 * len(turned), len(turned)))
    assert log.kind == "text"
    assert (b"new", 1_000_002_000, 6) in [(r.text, r.nanoseconds, r.level) for r in log.records]
    assert [r.text for r in log.records][-2:] == [b"old", b"older"]
