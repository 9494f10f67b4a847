# SPDX-License-Identifier: GPL-3.0-or-later
"""Who wrote a dump: traces in its headers and notes, weighed."""

from __future__ import annotations

from ..arch import architecture_of
from ..dumps.base import Dump
from . import from_elf, from_kdump, from_notes, from_stream
from .phys_base import header_phys_base
from .result import Detection, Evidence
from .verdict import weigh

__all__ = ["Detection", "Evidence", "detect"]


def detect(dump: Dump) -> Detection:
    """Say what ``dump`` is and who wrote it; reads headers and notes, no guest memory."""
    notes = from_notes.evidence(dump)
    headers = from_kdump.evidence(dump) + from_elf.evidence(dump) + from_stream.evidence(dump)
    # A filter writes its own headers, but copies the notes of whoever dumped the memory.
    rewritten = any(e.strength == "decisive" for e in headers)
    origin, confidence = weigh(headers if rewritten else notes + headers)
    saved_by_qemu = bool(from_notes.qemu_notes(dump)) or origin == "qemu"
    return Detection(
        path=dump.path,
        format=dump.format,
        flattened=dump.flattened,
        compression=dump.compression,
        arch=dump.arch,
        vcpus=_vcpus(dump),
        ram=dump.ram,
        origin=origin,
        confidence=confidence,
        memory_source="qemu" if saved_by_qemu else None,
        evidence=(*notes, *headers),
        vmcoreinfo=dump.vmcoreinfo is not None,
        header_phys_base=header_phys_base(dump, from_qemu=saved_by_qemu),
        complete=dump.complete,
        warnings=(*dump.warnings, *_warnings(dump, origin)),
    )


def _vcpus(dump: Dump) -> int:
    """CPUs with a note; a kdump without CPU notes has them counted in its header."""
    return len(from_notes.prstatus_notes(dump)) or int(getattr(dump.header, "nr_cpus", 0))


def _warnings(dump: Dump, origin: str) -> list[str]:
    warnings = []
    if origin != "qemu" and from_notes.qemu_notes(dump):
        warnings.append(
            f"written by {origin}, but the guest's memory was dumped by QEMU:"
            " its CPU-state notes are still there"
        )
    if _narrower(dump) and from_notes.qemu_notes(dump):
        warnings.append(
            "the first vCPU was not in 64-bit mode; the kernel may be 64-bit all the same"
        )
    return warnings


def _narrower(dump: Dump) -> bool:
    """True for a dump that says it is of a narrower architecture than its guest may be."""
    arch = architecture_of(dump.arch)
    return arch is not None and dump.arch not in (arch.name, "unknown")
