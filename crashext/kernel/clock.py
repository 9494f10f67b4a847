# SPDX-License-Identifier: GPL-3.0-or-later
"""When the kernel was started, by its own clock: ``tk_core`` (kernel/time/timekeeping.c)."""

from __future__ import annotations

from ..symbols.btf import Btf
from .kernel import Kernel
from .symbols import KernelSymbols

SECOND = 1_000_000_000
_LATEST = 1 << 33  # seconds: the year 2242; the kernel's own counter ends in 2262
#: struct tk_data since 6.13 holds the timekeeper; before, an unnamed structure behind a seqcount.
_NAMED, _SEQCOUNT = "tk_data", ("seqcount_raw_spinlock_t", "seqcount_t")


def boot_time(kernel: Kernel, symbols: KernelSymbols, btf: Btf) -> int | None:
    """Nanoseconds of the Unix epoch at boot, as ``getboottime64()``: offs_real - offs_boot.

    None where it can't be found, or is no time that can be. The wall clock is a guest's to set.

    Raises:
        TypesError: the kernel's types are damaged.
    """
    vaddr, inside = symbols.vaddr("tk_core"), _timekeeper(btf)
    offsets = [btf.offset("timekeeper", member) for member in ("offs_real", "offs_boot")]
    if vaddr is None or inside is None or None in offsets:
        return None
    real, boot = (kernel.read(vaddr + inside + (offset or 0), 8) for offset in offsets)
    if real is None or boot is None:
        return None
    order = kernel.arch.byte_order
    at = int.from_bytes(real, order, signed=True) - int.from_bytes(boot, order, signed=True)
    return at if 0 < at < _LATEST * SECOND else None


def _timekeeper(btf: Btf) -> int | None:
    """Bytes before the timekeeper in ``tk_core``."""
    named = btf.offset(_NAMED, "timekeeper")
    if named is not None:
        return named
    sizes = (btf.sizeof(name) for name in _SEQCOUNT)
    size = next((size for size in sizes if size is not None), None)
    return None if size is None else -(-size // 8) * 8
