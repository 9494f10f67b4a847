# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel calls itself: ``init_uts_ns`` (init/version.c)."""

from __future__ import annotations

from typing import NamedTuple

from ..dumps.kdump_types import Utsname
from ..vmcoreinfo import parse
from .kernel import Kernel

_FIELD, _FIELDS = 65, 6  # struct new_utsname: so many characters each, NUL included
_MOST_BEFORE = 256  # bytes of struct uts_namespace before its name
_SYSNAME = b"Linux\0"


class Uname(NamedTuple):
    """The six names, the address of ``init_uts_ns`` and how far in it they stand."""

    names: Utsname
    vaddr: int
    offset: int


def find_uname(kernel: Kernel) -> Uname | None:
    """The kernel's names; None where they can't be found, or are another release's."""
    info = parse(kernel.vmcoreinfo or b"")
    vaddr = kernel.vaddr("init_uts_ns") or info.symbol("init_uts_ns")
    if vaddr is None:
        return None
    raw = kernel.read(vaddr, _MOST_BEFORE + _FIELD * _FIELDS) or b""
    offset = info.integer("OFFSET(uts_namespace.name)")
    if offset is None:
        offset = raw.find(_SYSNAME, 0, _MOST_BEFORE)
    if not 0 <= offset <= _MOST_BEFORE or not raw.startswith(_SYSNAME, offset):
        return None
    names = _names(raw[offset : offset + _FIELD * _FIELDS])
    known = names.release == kernel.location.release and names.machine
    return Uname(names, vaddr, offset) if known else None


def _names(raw: bytes) -> Utsname:
    parts = (raw[at : at + _FIELD].split(b"\0", 1)[0] for at in range(0, len(raw), _FIELD))
    return Utsname(*(part.decode("ascii", "backslashreplace") for part in parts))
