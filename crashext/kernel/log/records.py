# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of Linux 3.5 to 5.9: ``struct printk_log`` records (kernel/printk/printk.c).

Each record says its own length; one of length 0 means that the next is at the beginning.
"""

from __future__ import annotations

from typing import NamedTuple

from .fields import Fields, LogError
from .record import Log, Record

MOST_TEXT = 1 << 28
_AFTER_LENGTH = 2  # bytes of dict_len; facility, flags and level follow it


class _Shape(NamedTuple):
    """Sizes and offsets, in bytes."""

    size: int
    time: int
    length: int
    text: int
    dictionary: int


def read_records(fields: Fields) -> Log:
    """The log between ``log_first_idx`` and ``log_next_idx``.

    Raises:
        LogError: it can't be read.
    """
    vaddr, data = buffer(fields)
    first, after = (_index(fields, name, len(data)) for name in ("log_first_idx", "log_next_idx"))
    number = fields.symbol("log_first_seq")
    seq = 0 if number is None else fields.integer(number, 8)
    records, problem = _Reader(fields, _shape(fields), data, seq).walk(first, after)
    return Log(tuple(records), "records", (problem,) if problem else (), vaddr, len(data))


def buffer(fields: Fields) -> tuple[int, bytes]:
    """Where the buffer of kernels before 5.10 is, and its bytes.

    Raises:
        LogError: it can't be read.
    """
    pointer, length = fields.symbol("log_buf"), fields.symbol("log_buf_len")
    if pointer is None or length is None:
        raise LogError("the kernel's log has no symbol")
    size = fields.integer(length, 4)
    if not 0 < size <= MOST_TEXT:
        raise LogError(f"a log of {size} bytes is none")
    vaddr = fields.word(pointer)
    return vaddr, fields.bytes(vaddr, size)


def _index(fields: Fields, name: str, size: int) -> int:
    vaddr = fields.symbol(name)
    if vaddr is None:
        raise LogError(f"{name} has no symbol")
    index = fields.integer(vaddr, 4)
    if index >= size:
        raise LogError(f"{name} is {index}, beyond the {size} bytes of the log")
    return index


def _shape(fields: Fields) -> _Shape:
    struct = "log" if fields.told_offset("log", "ts_nsec") else "printk_log"  # log until 3.10
    members = ("ts_nsec", "len", "text_len", "dict_len")
    return _Shape(fields.size(struct), *(fields.offset(struct, each) for each in members))


class _Reader(NamedTuple):
    """The buffer, and how its records are laid out."""

    fields: Fields
    shape: _Shape
    data: bytes
    seq: int

    def walk(self, first: int, after: int) -> tuple[list[Record], str]:
        """The records, and what is wrong with the first that is no more; empty if nothing."""
        records: list[Record] = []
        at, wrapped = first, first < after
        while at != after:
            head = self.data[at : at + self.shape.size]
            length = self._number(head, self.shape.length, 2)
            if len(head) < self.shape.size or length == 0:
                if wrapped:
                    return records, f"no record at byte {at} of the log, which ends at {after}"
                at, wrapped = 0, True
                continue
            end = at + length
            if length < self.shape.size or end > len(self.data) or (wrapped and end > after):
                return records, f"the record at byte {at} of the log has {length} bytes"
            records.append(self._record(self.data[at:end], self.seq + len(records)))
            at = end
        return records, ""

    def _record(self, raw: bytes, seq: int) -> Record:
        shape = self.shape
        text_end = shape.size + self._number(raw, shape.text, 2)
        facility, flags = raw[shape.dictionary + _AFTER_LENGTH : shape.dictionary + 4]
        device = raw[text_end : text_end + self._number(raw, shape.dictionary, 2)]
        pairs = (entry.partition(b"=") for entry in device.split(b"\0") if b"=" in entry)
        big = self.fields.kernel.arch.byte_order == "big"
        return Record(
            raw[shape.size : text_end],
            self._number(raw, shape.time, 8),
            seq,
            flags & 7 if big else flags >> 5,
            facility,
            None,
            {key.decode("ascii", "replace"): value.decode("ascii", "replace")
             for key, _, value in pairs},
        )  # fmt: skip

    def _number(self, raw: bytes, at: int, size: int) -> int:
        return self.fields.number(raw[at : at + size])
