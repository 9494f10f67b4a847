# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel said when it gave up, from its log (kernel/panic.c, each architecture's traps)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ..kernel.log import Record

_PANIC = re.compile(rb"Kernel panic - not syncing: ?(.*)", re.DOTALL)
#: How reports of faults begin, which may end in a panic.
_FAULT = re.compile(
    rb"(BUG: |kernel BUG at |Unable to handle |Oops|Internal error|general protection fault"
    rb"|double fault|divide error|invalid opcode|stack segment|watchdog: |Kernel stack overflow)"
)
#: A place in the code, as %pS prints it; with a question mark it may be left over on the stack.
_PLACE = re.compile(rb"(?<!\? )\b([A-Za-z_][\w.]*)\+0x([0-9a-f]+)/0x[0-9a-f]+")
#: What stands above the one who panicked in a call trace.
_MACHINERY = re.compile(
    rb"(__)?(dump_stack\w*|show_stack|dump_backtrace|v?panic|nmi_panic)(\.\w+)*"
)
_MOST_RECORDS = 400  # of one incident
_KERNEL = (0, None)  # what programs write to /dev/kmsg has another facility: LOG_USER at least


class Panic(NamedTuple):
    """The last words.

    Attributes:
        message: of the panic; of the fault where the kernel went on, or its log ends there.
        fault: the line that the incident began with, if that is another.
        function: in which it happened; None where no place was logged.
        fatal: whether the kernel stopped on it.
        before: whether it is the function before that one: who calls what never returns may
            have its return address behind its own end.
    """

    message: bytes
    fault: bytes | None
    function: bytes | None
    fatal: bool
    before: bool = False


def find_panic(records: Sequence[Record]) -> Panic | None:
    """The last panic that the kernel itself logged, else its last fault; None for neither."""
    own = [record for record in records if record.facility in _KERNEL]
    end = next((i for i in reversed(range(len(own))) if _PANIC.match(own[i].text)), None)
    if end is None:
        last = next((i for i in reversed(range(len(own))) if _FAULT.match(own[i].text)), None)
        return None if last is None else _of_fault(own, _first_of(own, last))
    said = _PANIC.match(own[end].text)
    assert said is not None
    start = _first_of(own, end)
    fault = own[start].text if start != end else None
    function, before = _function(own[start : end + _MOST_RECORDS])
    return Panic(said[1], fault, function, fatal=True, before=before)


def _of_fault(own: Sequence[Record], at: int) -> Panic:
    function, before = _function(own[at : at + _MOST_RECORDS])
    return Panic(own[at].text, None, function, fatal=False, before=before)


def _first_of(own: Sequence[Record], last: int) -> int:
    """Where the incident begins that ends at ``last``: the first fault of the same caller."""
    first = last
    for at in range(last - 1, max(last - _MOST_RECORDS, -1), -1):
        if own[at].caller == own[last].caller and _FAULT.match(own[at].text):
            first = at
    return first


def _function(incident: Sequence[Record]) -> tuple[bytes | None, bool]:
    for record in incident:
        for name, into in _PLACE.findall(record.text):
            if not _MACHINERY.fullmatch(name):
                return bytes(name), int(into, 16) == 0
    return None, False
