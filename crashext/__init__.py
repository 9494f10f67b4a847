# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the Linux kernel in a QEMU guest-memory dump, and put a crash session right.

Public names: :func:`open_dump` and the exceptions of :mod:`crashext.errors`. They
are looked up when first used, since crash imports this package at each ``extend``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .dumps import Dump, Note, Range, open_dump
    from .errors import (
        CorruptDump,
        CrashExtError,
        DumpError,
        ExcludedPage,
        MissingMemory,
        OtherPart,
        OverBudget,
        TruncatedPage,
        UnknownFormat,
        UnreadableDump,
        UnsupportedDump,
    )

__all__ = [
    "CorruptDump",
    "CrashExtError",
    "Dump",
    "DumpError",
    "ExcludedPage",
    "MissingMemory",
    "Note",
    "OtherPart",
    "OverBudget",
    "Range",
    "TruncatedPage",
    "UnknownFormat",
    "UnreadableDump",
    "UnsupportedDump",
    "open_dump",
]

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = ".dumps" if name in ("Dump", "Note", "Range", "open_dump") else ".errors"
    return getattr(import_module(module, __name__), name)
