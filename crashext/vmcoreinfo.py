# SPDX-License-Identifier: GPL-3.0-or-later
"""VMCOREINFO text to typed values, each key in its own base.

The kernel prints it in kernel/vmcore_info.c (kernel/crash_core.c before 6.9) and
arch/*/kernel/vmcore_info.c. Read the formats there: ``NUMBER(phys_base)`` is
decimal and signed, ``KERNELOFFSET`` is hex without a prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

MAX_SIZE = 1 << 20
"""The largest note QEMU takes from a guest; the kernel's is one page."""

_HEX_KEYS = frozenset(
    ("KERNELOFFSET", "KERNELOFFPHYS", "IDENTITYBASE", "SAMODE31", "EAMODE31", "KERNELPACMASK")
)
_LONGEST_NUMBER = 32


class Vmcoreinfo(NamedTuple):
    """One VMCOREINFO, parsed.

    Attributes:
        values: key to raw text, as in ``OSRELEASE=...``; of a repeated key the first.
        symbols: ``SYMBOL(name)`` to its run-time virtual address.
        numbers: ``NUMBER(name)`` to its raw text; :meth:`number` reads one.
        text: what was parsed, up to its NUL.
    """

    values: Mapping[str, str]
    symbols: Mapping[str, int]
    numbers: Mapping[str, str]
    text: bytes = b""

    @property
    def osrelease(self) -> str | None:
        """``OSRELEASE``: the kernel release as uname -r gives it."""
        return self.values.get("OSRELEASE")

    @property
    def build_id(self) -> str | None:
        """``BUILD-ID``: lower-case hex (kernel 5.9 and later)."""
        text = self.values.get("BUILD-ID", "").lower()
        return text if text and set(text) <= set("0123456789abcdef") else None

    @property
    def pagesize(self) -> int | None:
        """``PAGESIZE`` in bytes."""
        return self.integer("PAGESIZE")

    @property
    def kernel_offset(self) -> int | None:
        """``KERNELOFFSET``: how far KASLR moved the kernel's virtual addresses."""
        return self.integer("KERNELOFFSET")

    @property
    def phys_base(self) -> int | None:
        """``NUMBER(phys_base)`` of x86_64: signed, None when not there."""
        return self.number("phys_base")

    def number(self, name: str) -> int | None:
        """``NUMBER(name)``: hex where it has a 0x, else decimal; None when not there."""
        return _integer(self.numbers.get(name, ""), 10)

    def symbol(self, name: str) -> int | None:
        """``SYMBOL(name)``: the run-time virtual address; None when not there."""
        return self.symbols.get(name)

    def integer(self, key: str) -> int | None:
        """A plain key's number, in the base that the kernel prints it."""
        return _integer(self.values.get(key, ""), 16 if key in _HEX_KEYS else 10)


def parse(text: bytes) -> Vmcoreinfo:
    """Parse ``KEY=VALUE`` lines up to the first NUL, :data:`MAX_SIZE` bytes at most.

    The text may come from hostile memory: lines that aren't ASCII or have no ``=``
    are left out, and nothing is raised. Without ``osrelease`` it was none.
    """
    values: dict[str, str] = {}
    symbols: dict[str, int] = {}
    numbers: dict[str, str] = {}
    text = text[:MAX_SIZE].split(b"\0", 1)[0]
    for line in text.split(b"\n"):
        key, equals, value = line.partition(b"=")
        if equals and line.isascii():
            _add(key.decode(), value.decode(), values, symbols, numbers)
    return Vmcoreinfo(
        MappingProxyType(values), MappingProxyType(symbols), MappingProxyType(numbers), text
    )


def _add(
    key: str,
    value: str,
    values: dict[str, str],
    symbols: dict[str, int],
    numbers: dict[str, str],
) -> None:
    values.setdefault(key, value)
    if key.startswith("SYMBOL(") and key.endswith(")"):
        address = _integer(value, 16)
        if address is not None and address >= 0:
            symbols.setdefault(key[7:-1], address)
    elif key.startswith("NUMBER(") and key.endswith(")"):
        numbers.setdefault(key[7:-1], value)


def _integer(text: str, base: int) -> int | None:
    """``text`` in ``base`` (16 if it starts with 0x); None if it is no such number."""
    digits = text.strip()
    if not digits or len(digits) > _LONGEST_NUMBER or "_" in digits:
        return None
    try:
        return int(digits, 16 if digits.lstrip("+-").lower().startswith("0x") else base)
    except ValueError:
        return None
