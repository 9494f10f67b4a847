# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer of the search: where the kernel is, and what says so."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from ..arch.base import MASK64, Evidence
from ..text import hex64
from .context import Step

__all__ = ["Confidence", "Evidence", "Location", "Step"]

Confidence = Literal["certain", "strong", "weak", "none"]


class Location(NamedTuple):
    """The answer to "where is the kernel"; the JSON contract of ``physbase``.

    Addresses are plain ints (phys_base signed); None where unknown or where the
    architecture has no such notion. ``vmlinux_fits`` says whether the vmlinux given is of
    the kernel found (None without one): ``found`` does not depend on it.
    ``phys_offset`` is what the kernel takes for the physical address that its direct map
    starts with, ``va_bits`` how many bits of a virtual address its tables translate,
    ``page_size`` bytes of its smallest page.
    ``found`` is False when no kernel was found or the evidence conflicts; then
    ``evidence``, ``reason`` and ``warnings`` say why. ``kernels`` describes every
    kernel image met (crashext.locate.answer.kernels.describe), ``debug_packages`` names
    the packages that have the matching vmlinux, ``debug_install`` the shell's lines that
    install them on a machine of that distribution, ``debuginfod`` the URLs on the
    user's own servers, ``vmcoreinfo`` is the kernel's own text, ``vcpus`` says where each
    vCPU is (``describe_vcpus`` there), ``steps`` is the course of the search.
    """

    path: str
    arch: str
    found: bool
    phys_base: int | None = None
    vmlinux_fits: bool | None = None
    kaslr_offset: int | None = None
    text_vaddr: int | None = None
    text_paddr: int | None = None
    release: str | None = None
    banner: str | None = None
    build_id: str | None = None
    phys_offset: int | None = None
    page_table_levels: int | None = None
    va_bits: int | None = None
    page_size: int | None = None
    method: str | None = None
    confidence: Confidence = "none"
    confirmed_by: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    crash_args: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reason: str = ""
    kernels: tuple[dict[str, Any], ...] = ()
    debug_packages: tuple[str, ...] = ()
    debug_install: tuple[str, ...] = ()
    debuginfod: tuple[str, ...] = ()
    vmcoreinfo: str | None = None
    vcpus: tuple[dict[str, Any], ...] = ()
    pages_read: int = 0
    seconds: float = 0.0
    steps: tuple[Step, ...] = ()

    @property
    def kimage_voffset(self) -> int | None:
        """``text_vaddr - text_paddr`` modulo 2^64: what every address of the image is moved by."""
        if not self.found or self.text_vaddr is None or self.text_paddr is None:
            return None
        return (self.text_vaddr - self.text_paddr) & MASK64

    @property
    def kernel(self) -> dict[str, Any] | None:
        """Of ``kernels`` the one that the answer is about."""
        return next((kernel for kernel in self.kernels if kernel["chosen"]), None)

    def to_json(self) -> dict[str, Any]:
        """The dict that ``--json`` prints (schema 1)."""

        def h(value: int | None) -> str | None:
            return None if value is None else hex64(value)

        return {
            "schema": 1,
            "path": self.path,
            "arch": self.arch,
            "found": self.found,
            "vmlinux_fits": self.vmlinux_fits,
            "phys_base": h(self.phys_base),
            "kimage_voffset": h(self.kimage_voffset),
            "phys_offset": h(self.phys_offset),
            "kaslr_offset": h(self.kaslr_offset),
            "text_vaddr": h(self.text_vaddr),
            "text_paddr": h(self.text_paddr),
            "release": self.release,
            "banner": self.banner,
            "build_id": self.build_id,
            "page_table_levels": self.page_table_levels,
            "va_bits": self.va_bits,
            "page_size": self.page_size,
            "method": self.method,
            "confidence": self.confidence,
            "confirmed_by": list(self.confirmed_by),
            "evidence": [{"name": e.name, "value": e.value, "held": e.held} for e in self.evidence],
            "crash_args": list(self.crash_args),
            "warnings": list(self.warnings),
            "reason": self.reason,
            "kernels": list(self.kernels),
            "debug_packages": list(self.debug_packages),
            "debug_install": list(self.debug_install),
            "debuginfod": list(self.debuginfod),
            "vmcoreinfo": self.vmcoreinfo,
            "vcpus": list(self.vcpus),
            "steps": [step.to_json() for step in self.steps],
            "stats": {"pages_read": self.pages_read, "seconds": round(self.seconds, 6)},
        }
