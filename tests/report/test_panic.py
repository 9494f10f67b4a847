# SPDX-License-Identifier: GPL-3.0-or-later
"""Who panicked, by the call trace that the kernel logged."""

from __future__ import annotations

import pytest

from crashext.kernel.log import Record
from crashext.report.panic import find_panic


def log(*lines: str) -> list[Record]:
    return [Record(line.encode(), seq=n, level=0, facility=0) for n, line in enumerate(lines)]


TRACE = ("Call trace:", " dump_stack+0x18/0x28", " vpanic+0x11c/0x338")
NEIGHBOURS = {
    b"trace_suspend_resume": {b"suspend_valid_only_mem", b"panic"},
    b"next": {b"oops_here"}, b"many": {b"one", b"other"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("frames", "alone", "resolved"),
    [
        ((" sysrq_handle_crash+0x20/0x28",), b"sysrq_handle_crash", b"sysrq_handle_crash"),
        # panic() calls what never returns: its return address is the next function's first.
        ((" trace_suspend_resume+0x0/0x70", " sysrq_handle_crash+0x20/0x28"),
         None, b"sysrq_handle_crash"),
        ((" next+0x0/0x70", " caller+0x20/0x28"), None, b"oops_here"),
        ((" many+0x0/0x70", " caller+0x20/0x28"), None, None),
        ((" unheard_of+0x0/0x70", " caller+0x20/0x28"), None, None),
        ((), None, None),
    ],
)  # fmt: skip
def test_the_function_that_panicked(
    frames: tuple[str, ...], alone: bytes | None, resolved: bytes | None
) -> None:
    panic = find_panic(log("Kernel panic - not syncing: broken", *TRACE, *frames))
    assert panic is not None and panic.fatal and panic.message == b"broken"
    assert panic.function == alone
    assert panic.among(lambda name: NEIGHBOURS.get(name, set())).function == resolved
