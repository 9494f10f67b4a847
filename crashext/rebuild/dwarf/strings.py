# SPDX-License-Identifier: GPL-3.0-or-later
"""The names: BTF's strings as they are, then those that BTF has not.

A name is written by tools into their output and looked up in hash tables; what is neither a
letter, a digit nor one of ``_ . $`` or a space becomes ``_``, so that all offsets stay.
"""

from __future__ import annotations

import string

from ...symbols.btf import Btf

_ALLOWED = (string.ascii_letters + string.digits + "_.$ \0").encode()
_CLEAN = bytes(byte if byte in _ALLOWED else ord("_") for byte in range(256))


class Strings:
    """The section .debug_str while it grows."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.size = 0
        self._known: dict[str, int] = {}

    def take(self, btf: Btf) -> int:
        """Append a BTF's own strings; returns what to add to the offsets of its names."""
        shift = self.size - btf.first_string
        self._append(btf.strings.translate(_CLEAN))
        return shift

    def add(self, name: str) -> int:
        """The offset of a name of our own."""
        at = self._known.get(name)
        if at is None:
            at = self._known[name] = self.size
            raw = name.encode("ascii", "replace").replace(b"\0", b"_")
            self._append(raw.translate(_CLEAN) + b"\0")
        return at

    def _append(self, data: bytes) -> None:
        self.chunks.append(data)
        self.size += len(data)
