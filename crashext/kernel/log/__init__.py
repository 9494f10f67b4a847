# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of a located kernel, of every generation of printk."""

from __future__ import annotations

from ..kernel import Kernel
from .fields import Fields, LogError
from .record import LEVELS, Log, Record

__all__ = ["LEVELS", "Log", "LogError", "Record", "read_log"]


def read_log(kernel: Kernel) -> Log:
    """All messages that the kernel's memory holds, the oldest first.

    Raises:
        LogError: its log isn't found, or memory lacks a part of it; the text says which.
    """
    fields = Fields(kernel)
    if (pointer := fields.symbol("prb")) is not None:
        from .ring import read_ring

        return read_ring(fields, pointer)
    if fields.symbol("log_first_idx") is not None:
        from .records import read_records

        return read_records(fields)
    if fields.symbol("log_end") is not None:
        from .plain import read_plain

        return read_plain(fields)
    raise LogError("the kernel's log has no symbol: neither VMCOREINFO nor its symbol table has it")
