# SPDX-License-Identifier: GPL-3.0-or-later
"""The frequency of the kernel's ticks, which is in no symbol."""

from __future__ import annotations

from ..kernel.kernel import Kernel
from ..kernel.symbols import KernelSymbols
from ..symbols.btf import Btf

_SECOND = 1_000_000_000
#: What kernels are built with (kernel/Kconfig.hz and each architecture's own).
_RATES = (24, 32, 48, 64, 100, 128, 250, 256, 300, 500, 512, 1000, 1024, 1200)


def ticks_per_second(kernel: Kernel, symbols: KernelSymbols, btf: Btf) -> int | None:
    """HZ, from the length of a tick in ``clocksource_jiffies`` (kernel/time/jiffies.c).

    None where the kernel has no such clock source, or it says nothing that can be.
    """
    vaddr = symbols.vaddr("clocksource_jiffies")
    numbers = [
        None if vaddr is None or offset is None else kernel.read(vaddr + offset, 4)
        for offset in (btf.offset("clocksource", "mult"), btf.offset("clocksource", "shift"))
    ]
    if None in numbers:
        return None
    mult, shift = (int.from_bytes(n or b"", kernel.arch.byte_order) for n in numbers)
    if shift > 31 or not mult >> shift:
        return None
    rate = _SECOND / (mult / (1 << shift))
    nearest = min(_RATES, key=lambda known: abs(known - rate))
    return nearest if abs(nearest - rate) < nearest / 100 else None
