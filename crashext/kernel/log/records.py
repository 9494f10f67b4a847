# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of Linux 3.5 to 5.9: ``struct printk_log`` records in one buffer (kernel/printk/printk.c).

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
    records, problem = _walk(fields, _shape(fields), data, first, after, seq)
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


def _walk(
    fields: Fields, shape: _Shape, data: bytes, first: int, after: int, seq: int
) -> tuple[list[Record], str]:
    """The records, and what is wrong with the first that is no more; empty if nothing."""
    records: list[Record] = []
    at, wrapped = first, first < after
    while at != after:
        head = data[at : at + shape.size]
        length = fields.number(head[shape.length : shape.length + 2])
        if len(head) < shape.size or length == 0:
            if wrapped:
                return records, f"no record at byte {at} of the log, which ends at {after}"
            at, wrapped = 0, True
            continue
        if length < shape.size or at + length > len(data) or (wrapped and at + length > after):
            return records, f"the record at byte {at} of the log has {length} bytes"
        records.append(_record(fields, shape, data[at : at + length], seq + len(records)))
        at += length
    return records, ""


def _record(fields: Fields, shape: _Shape, raw: bytes, seq: int) -> Record:
    def number(at: int, size: int) -> int:
        return fields.number(raw[at : at + size])

    text_end = shape.size + number(shape.text, 2)
    facility, flags = raw[shape.dictionary + _AFTER_LENGTH : shape.dictionary + 4]
    device = raw[text_end : text_end + number(shape.dictionary, _AFTER_LENGTH)]
    pairs = (entry.partition(b"=") for entry in device.split(b"\0") if b"=" in entry)
    return Record(
        raw[shape.size : text_end],
        number(shape.time, 8),
        seq,
        flags & 7 if fields.kernel.arch.byte_order == "big" else flags >> 5,
        facility,
        None,
        {key.decode("ascii", "replace"): value.decode("ascii", "replace")
         for key, _, value in pairs},
    )  # fmt: skip
