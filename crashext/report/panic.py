# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel said when it gave up, from its log (kernel/panic.c, each architecture's traps)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
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
_MOST_CALLERS = 16
_KERNEL = (0, None)  # what programs write to /dev/kmsg has another facility: LOG_USER at least


class Caller(NamedTuple):
    """A place in a call trace. At the start of a function it is the end of the one before: who
    calls what never returns may have nothing behind that."""

    name: bytes
    at_its_start: bool


class Panic(NamedTuple):
    """The last words.

    Attributes:
        message: of the panic; of the fault where the kernel went on, or its log ends there.
        fault: the line that the incident began with, if that is another.
        function: in which it happened; None where that isn't known.
        fatal: whether the kernel stopped on it.
        callers: the places that were logged, without those of the machinery that prints them.
    """

    message: bytes
    fault: bytes | None
    function: bytes | None
    fatal: bool
    callers: tuple[Caller, ...] = ()

    def among(self, ending: Callable[[bytes], Collection[bytes]]) -> Panic:
        """The panic with its function, where the log names those behind the ones that were meant.

        ``ending`` gives the functions that end where one of that name begins: many may have it.
        """
        for name, at_its_start in self.callers:
            if not at_its_start:
                return self._replace(function=name)
            meant = set(ending(name))
            if any(_MACHINERY.fullmatch(each) for each in meant):
                continue
            return self._replace(function=meant.pop() if len(meant) == 1 else None)
        return self._replace(function=None)


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
    return _panic(said[1], fault, own[start : end + _MOST_RECORDS], fatal=True)


def _of_fault(own: Sequence[Record], at: int) -> Panic:
    return _panic(own[at].text, None, own[at : at + _MOST_RECORDS], fatal=False)


def _panic(
    message: bytes, fault: bytes | None, incident: Sequence[Record], *, fatal: bool
) -> Panic:
    callers = tuple(islice(_callers(incident), _MOST_CALLERS))
    known = bool(callers) and not callers[0].at_its_start
    return Panic(message, fault, callers[0].name if known else None, fatal, callers)


def _first_of(own: Sequence[Record], last: int) -> int:
    """Where the incident begins that ends at ``last``: the first fault of the same caller."""
    first = last
    for at in range(last - 1, max(last - _MOST_RECORDS, -1), -1):
        if own[at].caller == own[last].caller and _FAULT.match(own[at].text):
            first = at
    return first


def _callers(incident: Sequence[Record]) -> Iterator[Caller]:
    for record in incident:
        for name, into in _PLACE.findall(record.text):
            if not _MACHINERY.fullmatch(name):
                yield Caller(bytes(name), int(into, 16) == 0)
