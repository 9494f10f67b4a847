# SPDX-License-Identifier: GPL-3.0-or-later
"""What a located kernel says of the machine as a whole: names, times, taint, a panic."""

from __future__ import annotations

from typing import NamedTuple

from .structs import NotThere, Structs

SECOND = 1_000_000_000
_LATEST = 1 << 33  # seconds: the year 2242; the kernel's own counter ends in 2262
_FIELD = 65  # struct new_utsname: so many characters each, NUL included
_MOST_SHIFT = 63
#: taint_flags of kernel/panic.c, from bit 0 on; a blank is no taint.
_TAINTS = "PFSRMBUDAWCIOELKXTNJ"
_NO_CPU = -1  # PANIC_CPU_INVALID


class Times(NamedTuple):
    """The kernel's own clock, which a guest may set.

    Attributes:
        boot: nanoseconds of the Unix epoch at boot, as ``getboottime64()``.
        uptime: nanoseconds from then to the clock's last tick.
    """

    boot: int
    uptime: int


def times(structs: Structs) -> Times:
    """From ``tk_core``, ``timekeeper_data`` since 6.17 (kernel/time/timekeeping.c).

    Raises:
        NotThere: it can't be found, or is no time that can be.
    """
    keeper = structs.symbol("tk_core", "timekeeper_data") + _timekeeper(structs)

    def at(member: str) -> int:
        return keeper + structs.offset("timekeeper", member)

    real, boot = (structs.number(at(m), 8, signed=True) for m in ("offs_real", "offs_boot"))
    shift = structs.number(at("tkr_mono.shift"), 4)
    now = structs.number(at("xtime_sec"), 8) * SECOND
    if shift <= _MOST_SHIFT:
        now += structs.number(at("tkr_mono.xtime_nsec"), 8) >> shift
    started = real - boot
    if not 0 < started <= now < _LATEST * SECOND:
        raise NotThere("the kernel's clock was not set, or is damaged")
    return Times(started, now - started)


def _timekeeper(structs: Structs) -> int:
    """Bytes before the timekeeper: in ``struct tk_data`` since 6.13, behind a seqcount before."""
    if structs.has("tk_data", "timekeeper"):
        return structs.offset("tk_data", "timekeeper")
    for name in ("seqcount_raw_spinlock_t", "seqcount_t"):
        size = structs.types.sizeof(name)
        if size is not None:
            return -(-size // 8) * 8
    raise NotThere("the kernel's types lack tk_data and seqcount_t")


def hostname(structs: Structs) -> bytes:
    """``nodename`` of ``init_uts_ns``.

    Raises:
        NotThere: it can't be found.
    """
    names = structs.symbol("init_uts_ns") + structs.offset("uts_namespace", "name")
    return structs.text(names + structs.offset("new_utsname", "nodename"), _FIELD)


def command_line(structs: Structs) -> bytes:
    """What /proc/cmdline shows: ``saved_command_line`` (init/main.c).

    Raises:
        NotThere: it can't be found.
    """
    return structs.text(structs.pointer(structs.symbol("saved_command_line")))


def taint(structs: Structs) -> str:
    """The letters of /proc/sys/kernel/tainted, empty where it is untainted.

    Raises:
        NotThere: it can't be found.
    """
    mask = structs.pointer(structs.symbol("tainted_mask"))
    return "".join(letter for bit, letter in enumerate(_TAINTS) if mask >> bit & 1)


def panic_cpu(structs: Structs) -> int | None:
    """The CPU that called ``panic()`` (kernel/panic.c), None where none did.

    Raises:
        NotThere: it can't be found.
    """
    cpu = structs.number(structs.symbol("panic_cpu"), 4, signed=True)
    return None if cpu == _NO_CPU else cpu
