# SPDX-License-Identifier: GPL-3.0-or-later
"""Run-time addresses of a kernel's symbols, wherever they are known from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from .vmlinux import Vmlinux


class RuntimeSymbols(Protocol):
    """Symbols of one kernel as it runs, KASLR applied."""

    @property
    def origin(self) -> str:
        """Where they come from, in words."""

    def vaddr(self, *names: str) -> int | None:
        """The run-time address of the first of ``names`` that is known."""


class LinkedSymbols(NamedTuple):
    """A vmlinux's symbols, moved by the KASLR offset."""

    vmlinux: Vmlinux
    kaslr_offset: int
    origin: str = "vmlinux"

    def vaddr(self, *names: str) -> int | None:
        """The run-time address of the first of ``names`` that is known."""
        linked = self.vmlinux.first(*names)
        return None if linked is None else linked + self.kaslr_offset


class KnownSymbols(NamedTuple):
    """Symbols given as run-time addresses: VMCOREINFO's, or decoded kallsyms."""

    addresses: Mapping[str, int]
    origin: str

    def vaddr(self, *names: str) -> int | None:
        """The run-time address of the first of ``names`` that is known."""
        return next((self.addresses[n] for n in names if n in self.addresses), None)

    def moved(self, distance: int) -> KnownSymbols:
        """The same symbols of another image of this build, ``distance`` bytes further up."""
        return KnownSymbols({n: v + distance for n, v in self.addresses.items()}, self.origin)
