# SPDX-License-Identifier: GPL-3.0-or-later
"""The log since Linux 5.10: ``struct printk_ringbuffer`` (kernel/printk/printk_ringbuffer.c).

A ring of descriptors, whose numbers ("IDs") rise for ever, and a ring of text.  Writers reserve
in both without a lock, so any of it may be half done in a dump.  What a descriptor says of its
text is believed where the text's own head says so too: it begins with the descriptor's ID.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...text import counted
from .fields import Fields, LogError
from .record import Log, Record

_MOST_DESCRIPTORS = 1 << 22
_MOST_TEXT = 1 << 28  # CONFIG_LOG_BUF_SHIFT is 25 at most; log_buf_len= may be more
_COMMITTED, _FINALIZED, _REUSABLE = 1, 2, 3
_NO_TEXT = (1, 3)  # FAILED_LPOS and NO_LPOS (EMPTY_LINE_LPOS): numbers that no text has
_AFTER_LENGTH = 2  # bytes of text_len; facility, flags and level follow it


class _Ring(NamedTuple):
    """``struct prb_desc_ring`` and the text's ``struct prb_data_ring``, read."""

    slots: int
    descriptors: bytes
    infos: bytes
    head: int
    tail: int
    text: bytes
    text_vaddr: int


class _Shape(NamedTuple):
    """Sizes and offsets, in bytes."""

    descriptor: int
    state: int
    begin: int
    next: int
    info: int
    seq: int
    time: int
    length: int
    caller: int
    subsystem: int
    subsystem_length: int
    device: int
    device_length: int


def read_ring(fields: Fields, pointer: int) -> Log:
    """The log behind ``prb``, a pointer variable at the address ``pointer``.

    Raises:
        LogError: it can't be read.
    """
    ring, shape = _ring(fields, fields.word(pointer)), _shape(fields)
    if len(ring.descriptors) != ring.slots * shape.descriptor:
        raise LogError("the descriptors are not all in the dump")
    reader = _Reader(fields, ring, shape)
    records = tuple(reader.records())
    return Log(records, "ring", tuple(reader.problems()), ring.text_vaddr, len(ring.text))


def _ring(fields: Fields, base: int) -> _Ring:
    at = base + fields.offset("printk_ringbuffer", "desc_ring")
    bits = fields.integer(at + fields.offset("prb_desc_ring", "count_bits"), 4)
    if not 0 < bits < 32 or 1 << bits > _MOST_DESCRIPTORS:
        raise LogError(f"a ring of 2^{bits} descriptors is none")
    text_at = base + fields.offset("printk_ringbuffer", "text_data_ring")
    text_bits = fields.integer(text_at + fields.offset("prb_data_ring", "size_bits"), 4)
    if not 0 < text_bits < 64 or 1 << text_bits > _MOST_TEXT:
        raise LogError(f"a ring of 2^{text_bits} bytes of text is none")
    text_vaddr = fields.word(text_at + fields.offset("prb_data_ring", "data"))
    return _Ring(
        1 << bits,
        _array(fields, at, "descs", "prb_desc", bits),
        _array(fields, at, "infos", "printk_info", bits),
        fields.word(at + fields.offset("prb_desc_ring", "head_id")),
        fields.word(at + fields.offset("prb_desc_ring", "tail_id")),
        fields.bytes(text_vaddr, 1 << text_bits),
        text_vaddr,
    )


def _array(fields: Fields, at: int, member: str, struct: str, bits: int) -> bytes:
    size = fields.size(struct) << bits
    if size > _MOST_TEXT:
        raise LogError(f"{size} bytes of {struct} are more than any kernel has")
    return fields.bytes(fields.word(at + fields.offset("prb_desc_ring", member)), size)


def _shape(fields: Fields) -> _Shape:
    place = fields.offset("prb_desc", "text_blk_lpos")
    device = fields.offset("printk_info", "dev_info")
    return _Shape(
        fields.size("prb_desc"),
        fields.offset("prb_desc", "state_var"),
        place + fields.offset("prb_data_blk_lpos", "begin"),
        place + fields.offset("prb_data_blk_lpos", "next"),
        fields.size("printk_info"),
        fields.offset("printk_info", "seq"),
        fields.offset("printk_info", "ts_nsec"),
        fields.offset("printk_info", "text_len"),
        fields.offset("printk_info", "caller_id"),
        device + fields.offset("dev_printk_info", "subsystem"),
        fields.length("printk_info_subsystem", 16),
        device + fields.offset("dev_printk_info", "device"),
        fields.length("printk_info_device", 48),
    )


class _Reader:
    """One pass over the descriptors, from the oldest on."""

    def __init__(self, fields: Fields, ring: _Ring, shape: _Shape) -> None:
        self._ring, self._shape, self._number = ring, shape, fields.number
        self._word = fields.kernel.arch.word
        self._big = fields.kernel.arch.byte_order == "big"
        self._ids = 1 << (8 * self._word - 2)  # the two bits above say the state
        self._being_written = self._lost = self._lying = 0

    def problems(self) -> Iterator[str]:
        """In words what was not as it should be."""
        if self._being_written:
            yield f"{counted(self._being_written, 'message')} being written at that moment"
        if self._lost:
            lost = counted(self._lost, "message")
            yield f"{lost} without text: it is overwritten, or was never written"
        if self._lying:
            yield f"{counted(self._lying, 'message')} left out: the descriptor contradicts itself"

    def records(self) -> Iterator[Record]:
        """The messages that are whole, in their order."""
        head, tail = self._ring.head % self._ids, self._ring.tail % self._ids
        span = (head - tail) % self._ids + 1
        # The head may have moved on from the tail by no more than the ring.
        if span > self._ring.slots:
            self._lying += 1
            span = self._ring.slots
        for step in range(span):
            record = self._record((head - span + 1 + step) % self._ids)
            if record is not None:
                yield record

    def _record(self, number: int) -> Record | None:
        shape, index = self._shape, number % self._ring.slots
        at = index * shape.descriptor
        word = self._at(self._ring.descriptors, at + shape.state, self._word)
        state = word // self._ids
        if word % self._ids != number or state == _REUSABLE:
            return None  # not used yet, or given back
        if state not in (_COMMITTED, _FINALIZED):
            self._being_written += 1
            return None
        begin = self._at(self._ring.descriptors, at + shape.begin, self._word)
        end = self._at(self._ring.descriptors, at + shape.next, self._word)
        text = self._text(number, begin, end)
        return None if text is None else self._with_info(index * shape.info, text)

    def _text(self, number: int, begin: int, end: int) -> bytes | None:
        if begin == end and begin in _NO_TEXT:
            return b""
        if begin % 2 or end % 2:  # a descriptor without text
            self._lost += begin == end == 1
            return b"" if begin == 3 else None
        size, start = len(self._ring.text), begin % len(self._ring.text)
        wraps = begin // size != end // size
        if not 0 < end - begin <= size:
            self._lying += 1
            return None
        # A block that would run over the end begins again at 0; one that ends there does not.
        starts = ((start, size if wraps else end % size), (0, end % size) if wraps else (0, 0))
        for first, last in starts:
            body = first + self._word
            if body <= last and self._at(self._ring.text, first, self._word) == number:
                return self._ring.text[body:last]
        self._lost += 1
        return None

    def _with_info(self, at: int, text: bytes) -> Record | None:
        shape, infos = self._shape, self._ring.infos
        length = self._at(infos, at + shape.length, _AFTER_LENGTH)
        facility, flags = infos[at + shape.length + 2 : at + shape.length + 4]
        device = {
            "SUBSYSTEM": self._name(at + shape.subsystem, shape.subsystem_length),
            "DEVICE": self._name(at + shape.device, shape.device_length),
        }
        return Record(
            text[:length],
            self._at(infos, at + shape.time, 8),
            self._at(infos, at + shape.seq, 8),
            self._level(flags),
            facility,
            self._at(infos, at + shape.caller, 4),
            {key: value for key, value in device.items() if value},
        )

    def _at(self, raw: bytes, at: int, size: int) -> int:
        return self._number(raw[at : at + size])

    def _name(self, at: int, size: int) -> str:
        return self._ring.infos[at : at + size].partition(b"\0")[0].decode("ascii", "replace")

    def _level(self, flags: int) -> int:
        """``u8 flags:5; u8 level:3``: the first bits are the low ones, or the high ones."""
        return flags & 7 if self._big else flags >> 5
