# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer of the search: where the kernel is, and what says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..text import hex64

Confidence = Literal["certain", "strong", "weak", "none"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was looked at: what it is, what was seen, whether it agrees.

    ``held`` is True (supports the answer), False (contradicts it) or None
    (could not be looked at, or says nothing either way).
    """

    name: str
    value: str
    held: bool | None = None


@dataclass(frozen=True, slots=True)
class Location:
    """The answer to "where is the kernel"; the JSON contract of ``physbase``.

    Addresses are plain ints (phys_base signed); None where unknown.
    ``found`` is False when no kernel was found or the evidence conflicts; then
    ``evidence``, ``reason`` and ``warnings`` say why. ``kernels`` describes every
    kernel image met (crashext.locate.kernels.describe), ``debug_packages`` names
    the packages that have the matching vmlinux, ``debuginfod`` the URLs on the
    user's own servers, ``vmcoreinfo`` is the kernel's own text, ``vcpus`` says where each
    vCPU is (crashext.locate.kernels.describe_vcpus).
    """

    path: str
    arch: str
    found: bool
    phys_base: int | None = None
    kaslr_offset: int | None = None
    text_vaddr: int | None = None
    text_paddr: int | None = None
    release: str | None = None
    banner: str | None = None
    build_id: str | None = None
    page_table_levels: int | None = None
    method: str | None = None
    confidence: Confidence = "none"
    confirmed_by: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    crash_args: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reason: str = ""
    kernels: tuple[dict[str, Any], ...] = ()
    debug_packages: tuple[str, ...] = ()
    debuginfod: tuple[str, ...] = ()
    vmcoreinfo: str | None = None
    vcpus: tuple[dict[str, Any], ...] = ()
    pages_read: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The dict that ``--json`` prints (schema 1)."""

        def h(value: int | None) -> str | None:
            return None if value is None else hex64(value)

        return {
            "schema": 1,
            "path": self.path,
            "arch": self.arch,
            "found": self.found,
            "phys_base": h(self.phys_base),
            "kaslr_offset": h(self.kaslr_offset),
            "text_vaddr": h(self.text_vaddr),
            "text_paddr": h(self.text_paddr),
            "release": self.release,
            "banner": self.banner,
            "build_id": self.build_id,
            "page_table_levels": self.page_table_levels,
            "method": self.method,
            "confidence": self.confidence,
            "confirmed_by": list(self.confirmed_by),
            "evidence": [{"name": e.name, "value": e.value, "held": e.held} for e in self.evidence],
            "crash_args": list(self.crash_args),
            "warnings": list(self.warnings),
            "reason": self.reason,
            "kernels": list(self.kernels),
            "debug_packages": list(self.debug_packages),
            "debuginfod": list(self.debuginfod),
            "vmcoreinfo": self.vmcoreinfo,
            "vcpus": list(self.vcpus),
            "stats": {"pages_read": self.pages_read, "seconds": round(self.seconds, 6)},
        }
