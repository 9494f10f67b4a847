# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers as text for people; every word that came from a dump is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..detect.result import Detection, Evidence, HeaderPhysBase
from ..locate.result import Location
from ..text import hex64, printable, size_text

Field = tuple[str, str]
#: More RAM ranges than this are summed up.
MAX_RANGES = 16
#: A guest's memory may hold any number of things that look like kernels.
MAX_KERNELS = 32
#: Pieces of evidence shown where no kernel was found; the JSON has all.
MAX_EVIDENCE = 40


def detection_text(answer: Detection) -> Iterator[str]:
    """The lines of ``qemufix detect``: the verdict, the facts, the evidence."""
    yield f"{printable(answer.path)}: {_verdict(answer)}"
    yield from _aligned(_detection_fields(answer))
    yield from _evidence(answer.evidence)
    yield from _warnings(answer.warnings)


def location_text(answer: Location) -> Iterator[str]:
    """The lines of ``qemufix physbase``: the answer, what confirms it, how to use it."""
    yield f"{printable(answer.path)}: {_headline(answer)}"
    yield from _aligned(_location_fields(answer))
    if len(answer.kernels) > 1 or (answer.kernels and not answer.found):
        yield from _kernels(answer.kernels)
    if not answer.found and answer.vcpus:
        yield from _vcpus(answer.vcpus)
    if not answer.found and answer.evidence:
        yield "evidence:"
        shown = answer.evidence[:MAX_EVIDENCE]
        yield from _aligned((e.name, _held(e.held) + printable(e.value)) for e in shown)
        if len(answer.evidence) > MAX_EVIDENCE:
            yield f"  ... and {len(answer.evidence) - MAX_EVIDENCE} more"
    yield from _warnings(w for w in answer.warnings if w != answer.reason)
    yield from next_steps(answer)


def kernel_line(answer: Location) -> Iterator[str]:
    """Which kernel it is, and how sure that is, in a line; none where there is no kernel."""
    if answer.found:
        release = printable(answer.release or "an unknown kernel")
        yield f"  kernel: {release} at {answer.text_paddr or 0:#x} ({answer.confidence})"


def next_steps(answer: Location) -> Iterator[str]:
    """What to do about an answer that is none, or about a vmlinux that does not fit."""
    if answer.found and answer.vmlinux_fits is not False:
        return
    if answer.debug_packages:
        packages = " or ".join(map(printable, answer.debug_packages))
        yield f"next: get the kernel's vmlinux ({packages}) and give it with --vmlinux"
        yield from (f"      {printable(line)}" for line in answer.debug_install)
    elif answer.found or (answer.vmlinux_fits is None and answer.kernels):
        yield "next: give the vmlinux of the kernel that ran with --vmlinux"
    if len(answer.kernels) > 1 and not answer.found:
        yield "next: or choose one of the kernels listed with --kernel ID"


def _kernels(kernels: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The table that ``--kernel ID`` chooses from."""
    yield "kernels (* chosen; --kernel takes the id):"
    head = ("id", "state", "vCPUs", "phys_base", "KASLR offset", "release")
    rows = [head, *(_kernel_row(k) for k in kernels[:MAX_KERNELS])]
    yield from _columns(rows)
    if len(kernels) > MAX_KERNELS:
        yield f"  ... and {len(kernels) - MAX_KERNELS} more"


def _kernel_row(kernel: dict[str, Any]) -> tuple[str, ...]:
    state = ", ".join(filter(None, (kernel["state"], kernel["boot_state"])))
    return (
        f"{kernel['id']}{'*' if kernel['chosen'] else ''}",
        state,
        ",".join(map(str, kernel["vcpus"])) or "-",
        kernel["phys_base"] or "-",
        kernel["kaslr_offset"] or "?",
        printable(kernel["release"] or "?"),
    )


def _vcpus(vcpus: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Where each vCPU is, for who wonders why no kernel was found."""
    yield "vCPUs:"
    registers = [name for name in vcpus[0] if name not in _NO_REGISTERS]
    head = ("N", "mode", *(name.upper() for name in registers), "in kernel")
    yield from _columns([head, *(_vcpu_row(v, registers) for v in vcpus[:MAX_KERNELS])])
    if len(vcpus) > MAX_KERNELS:
        yield f"  ... and {len(vcpus) - MAX_KERNELS} more"


#: Of a vCPU in the JSON everything else is a register of its architecture.
_NO_REGISTERS = ("index", "mode", "in_image", "kernel")


def _vcpu_row(vcpu: dict[str, Any], registers: Sequence[str]) -> tuple[str, ...]:
    kernel = "-" if vcpu["kernel"] is None else str(vcpu["kernel"])
    values = (str(vcpu[name]) for name in registers)
    return (str(vcpu["index"]), str(vcpu["mode"]), *values, kernel)


def _verdict(answer: Detection) -> str:
    if answer.origin == "unknown":
        return "nothing tells who wrote this dump"
    who = {"qemu": "QEMU", "kdump": "the kernel (kdump)"}.get(answer.origin, answer.origin)
    text = f"written by {who} ({answer.confidence})"
    if answer.memory_source == "qemu" and not answer.from_qemu:
        text += ", from a dump that QEMU made"
    return text


def _detection_fields(answer: Detection) -> Iterator[Field]:
    form = answer.format.upper() + (", flattened" if answer.flattened else "")
    packed = "" if answer.compression == "none" else f", {answer.compression} pages"
    yield "format", form + packed
    yield "architecture", f"{answer.arch}, {_count(answer.vcpus, 'vCPU')}"
    yield "RAM", f"{size_text(answer.ram_bytes)} in {_count(len(answer.ram), 'range')}"
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
    return f"{_number(claim.value)}: {claim.explanation}"


def _evidence(pieces: Sequence[Evidence]) -> Iterator[str]:
    if not pieces:
        return
    yield "evidence:"
    yield from _columns([_words(piece) for piece in pieces])


def _words(piece: Evidence) -> tuple[str, ...]:
    return piece.points_to, piece.strength, piece.name, printable(piece.value)


def _headline(answer: Location) -> str:
    if answer.found:
        because = f", {printable(answer.reason)}" if answer.reason else ""
        fits = "; the vmlinux given does not fit it" if answer.vmlinux_fits is False else ""
        return f"kernel found ({answer.confidence}{because}){fits}"
    return printable(answer.reason) or "no kernel found"


def _location_fields(answer: Location) -> Iterator[Field]:
    if answer.phys_base is not None:
        yield "phys_base", _number(answer.phys_base)
    elif answer.kimage_voffset is not None:
        yield "kimage_voffset", hex64(answer.kimage_voffset)
    if answer.phys_offset is not None:
        yield "phys_offset", hex64(answer.phys_offset)
    if answer.kaslr_offset is not None:
        yield "KASLR offset", _number(answer.kaslr_offset)
    if answer.text_vaddr is not None and answer.text_paddr is not None:
        yield "kernel text", f"{hex64(answer.text_vaddr)} at physical {hex64(answer.text_paddr)}"
    for label, value in (
        ("release", answer.release),
        ("banner", answer.banner),
        ("build ID", answer.build_id),
    ):
        if value:
            yield label, printable(value)
    if answer.page_table_levels:
        shape = f"{answer.page_table_levels} levels"
        if answer.va_bits is not None and answer.page_size is not None:
            shape += f", {answer.va_bits} bits, pages of {size_text(answer.page_size)}"
        yield "page tables", shape
    yield from _support(answer)


def _support(answer: Location) -> Iterator[Field]:
    if answer.method:
        yield "found by", printable(answer.method)
    if answer.confirmed_by:
        yield "confirmed by", ", ".join(map(printable, answer.confirmed_by))
    if answer.crash_args:
        yield "crash options", " ".join(answer.crash_args)
    if "build_id" not in answer.confirmed_by or answer.vmlinux_fits is False:
        yield from _where_to_get_vmlinux(answer)
    yield "work", f"{_count(answer.pages_read, 'page')} read in {answer.seconds:.2f} s"


def _where_to_get_vmlinux(answer: Location) -> Iterator[Field]:
    """For who has none at hand; nothing is fetched here."""
    if answer.debug_packages:
        yield "debug package", " or ".join(map(printable, answer.debug_packages))
    for line in answer.debug_install:
        yield "install with", printable(line)
    for url in answer.debuginfod:
        yield "debuginfod", printable(url)


def _held(held: bool | None) -> str:
    return {True: "agrees: ", False: "contradicts: ", None: ""}[held]


def _number(value: int) -> str:
    return hex64(value) + (f" (-{-value:#x})" if value < 0 else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _warnings(warnings: Iterable[str]) -> Iterator[str]:
    for warning in warnings:
        yield f"warning: {printable(warning)}"


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows of words, each column as wide as its widest word."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(w.ljust(n) for w, n in zip(row, widths, strict=True)).rstrip()


def _aligned(fields: Iterable[Field]) -> Iterator[str]:
    rows = list(fields)
    width = max((len(label) for label, _ in rows), default=0)
    for label, value in rows:
        yield f"  {label.ljust(width)}  {value}"
