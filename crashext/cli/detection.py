# SPDX-License-Identifier: GPL-3.0-or-later
"""Who wrote a dump, as text for people; every word that came from it is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..detect.meaning import MEANINGS, writer
from ..detect.result import Detection, Evidence, HeaderPhysBase
from ..text import counted, printable, shown, size_text
from .rows import Field, aligned, columns, number, warnings

#: More RAM ranges than this are summed up.
MAX_RANGES = 16


def detection_text(answer: Detection, *, verbose: bool = False) -> Iterator[str]:
    """The lines of ``qemufix detect``: the verdict, what it rests on, the facts.

    ``verbose``: also the weaker evidence, and the ranges of RAM.
    """
    yield f"{shown(answer.path)}: {_verdict(answer)}"
    yield from aligned(_detection_fields(answer, verbose=verbose))
    yield from _evidence(answer.evidence, verbose=verbose)
    yield from warnings(answer.warnings)


def _verdict(answer: Detection) -> str:
    if answer.origin == "unknown":
        return "nothing tells who wrote this dump"
    text = f"written by {writer(answer.origin)} ({answer.confidence})"
    if answer.memory_source == "qemu" and not answer.from_qemu:
        text += ", from a dump that QEMU made"
    return text


def _detection_fields(answer: Detection, *, verbose: bool) -> Iterator[Field]:
    form = answer.format.upper() + (", flattened" if answer.flattened else "")
    packed = "" if answer.compression == "none" else f", {answer.compression} pages"
    yield "format", form + packed
    yield "architecture", f"{answer.arch}, {counted(answer.vcpus, 'vCPU')}"
    yield "RAM", f"{size_text(answer.ram_bytes)} in {counted(len(answer.ram), 'range')}"
    if verbose:
        for r in answer.ram[:MAX_RANGES]:
            yield "", f"{r.start:#014x} - {r.end - 1:#014x}  {size_text(r.size)}"
        if len(answer.ram) > MAX_RANGES:
            yield "", f"... and {len(answer.ram) - MAX_RANGES} more"
    yield "VMCOREINFO", "present" if answer.vmcoreinfo else "absent"
    yield "header phys_base", _claim(answer.header_phys_base)
    yield "complete", "yes" if answer.complete else "no"


def _claim(claim: HeaderPhysBase) -> str:
    if claim.value is None:
        return claim.explanation
    return f"{number(claim.value)}: {claim.explanation}"


def _evidence(pieces: Sequence[Evidence], *, verbose: bool) -> Iterator[str]:
    telling = [p for p in pieces if p.strength in ("decisive", "strong")]
    chosen = pieces if verbose or not telling else telling
    if not chosen:
        return
    yield "evidence:"
    for piece, row in zip(chosen, columns([_words(p) for p in chosen]), strict=True):
        yield row
        if verbose:
            yield f"      {MEANINGS.get(piece.name, '')}"
    if len(chosen) < len(pieces):
        yield f"  ... and {counted(len(pieces) - len(chosen), 'weaker piece')} (-v)"


def _words(piece: Evidence) -> tuple[str, ...]:
    return piece.points_to, piece.strength, piece.name, printable(piece.value)
