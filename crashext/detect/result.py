# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer to "who wrote this dump", and what it rests on."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from ..dumps.base import Range
from ..text import hex64, printable

Strength = Literal["decisive", "strong", "medium", "weak"]
Confidence = Literal["certain", "strong", "weak", "none"]


class Evidence(NamedTuple):
    """One trace of the writer: what was looked at, what was seen, whom it points to.

    ``points_to`` is "qemu", "makedumpfile", "kdump" (the kernel's own /proc/vmcore),
    another writer's name, or "either" where it tells nobody apart.
    """

    name: str
    value: str
    points_to: str
    strength: Strength

    def to_json(self) -> dict[str, str]:
        """The dict that stands in the ``evidence`` list of the JSON."""
        return {
            "name": self.name,
            "value": printable(self.value),
            "points_to": self.points_to,
            "strength": self.strength,
        }


class HeaderPhysBase(NamedTuple):
    """What the dump's header claims as phys_base, and what that claim is worth.

    ``value`` is the signed number in bytes (None: the header claims nothing).
    ``meaning`` is "absent", "placeholder", "vmcoreinfo_misread", "ram_start" or "claimed";
    ``decoded`` is the number that was meant, where the claim is a misreading.
    """

    value: int | None
    meaning: str
    explanation: str
    decoded: int | None = None


class Detection(NamedTuple):
    """What the dump is and who wrote it; the JSON contract of ``detect``.

    ``origin`` names the writer of the file. ``memory_source`` is "qemu" where the CPU
    state was saved by QEMU, also when another tool has rewritten the file since.
    """

    path: str
    format: str
    flattened: bool
    compression: str
    arch: str
    vcpus: int
    ram: tuple[Range, ...]
    origin: str
    confidence: Confidence
    memory_source: str | None
    evidence: tuple[Evidence, ...]
    vmcoreinfo: bool
    header_phys_base: HeaderPhysBase
    complete: bool
    warnings: tuple[str, ...] = ()

    @property
    def from_qemu(self) -> bool:
        """Whether QEMU itself wrote this file; exit status 0 of ``detect``."""
        return self.origin == "qemu"

    @property
    def ram_bytes(self) -> int:
        """Total of the RAM ranges in bytes."""
        return sum(r.size for r in self.ram)

    def to_json(self) -> dict[str, Any]:
        """The dict that ``--json`` prints (schema 1)."""
        claim = self.header_phys_base
        return {
            "schema": 1,
            "path": self.path,
            "format": self.format,
            "flattened": self.flattened,
            "compression": self.compression,
            "arch": self.arch,
            "vcpus": self.vcpus,
            "ram_bytes": self.ram_bytes,
            "ram": [{"start": hex64(r.start), "end": hex64(r.end)} for r in self.ram],
            "origin": self.origin,
            "confidence": self.confidence,
            "memory_source": self.memory_source,
            "evidence": [e.to_json() for e in self.evidence],
            "vmcoreinfo": self.vmcoreinfo,
            "header_phys_base": None if claim.value is None else hex64(claim.value),
            "header_phys_base_meaning": claim.meaning,
            "header_phys_base_decoded": None if claim.decoded is None else hex64(claim.decoded),
            "complete": self.complete,
            "warnings": [printable(w) for w in self.warnings],
        }
