# SPDX-License-Identifier: GPL-3.0-or-later
"""What was made, and what it lacks; the JSON contract of ``vmlinux``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..text import printable


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The outcome of ``qemufix vmlinux``.

    Attributes:
        path: the dump.
        output: the vmlinux; None where none was made, and ``missing`` says why.
        release: of the kernel.
        build_id: likewise, as hex.
        symbols: how many it has.
        types: how many BTF has, with those of the modules.
        globals: how many variables have a type.
        modules: those whose types it has.
        missing: what a debug package's has and this has not, in a few words each.
        bytes_written: holes apart.
        seconds: that it took.
    """

    path: str
    output: str | None
    release: str | None
    build_id: str | None
    symbols: int = 0
    types: int = 0
    globals: int = 0
    modules: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    bytes_written: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The dict that ``--json`` prints (schema 1)."""
        return {
            "schema": 1,
            "path": self.path,
            "output": self.output,
            "release": None if self.release is None else printable(self.release),
            "build_id": self.build_id,
            "symbols": self.symbols,
            "types": self.types,
            "globals": self.globals,
            "modules": list(self.modules),
            "missing": list(self.missing),
            "bytes_written": self.bytes_written,
            "seconds": round(self.seconds, 6),
        }
