# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the kernel is, as text for people; every word that came from a dump is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..locate.answer.answer import UNCHECKED
from ..locate.meaning import WAYS, meaning_of_check
from ..locate.result import Location
from ..text import counted, hex64, printable, shown, size_text
from .rows import Field, aligned, columns, number, warnings

#: A guest's memory may hold any number of things that look like kernels.
MAX_KERNELS = 32
#: Pieces of evidence shown where no kernel was found; the JSON has all.
MAX_EVIDENCE = 40


def location_text(answer: Location, *, verbose: bool = False) -> Iterator[str]:
    """The lines of ``qemufix physbase``: the answer, what confirms it, how to use it.

    ``verbose``: also what tells builds apart, how it was found, and each check.
    """
    yield f"{shown(answer.path)}: {_headline(answer)}"
    yield from aligned(_location_fields(answer, verbose=verbose))
    if verbose and answer.confirmed_by:
        yield "confirmed by:"
        yield from columns([(c, meaning_of_check(c, answer.arch)) for c in answer.confirmed_by])
    if len(answer.kernels) > 1 or (answer.kernels and not answer.found):
        yield from _kernels(answer.kernels)
    if not answer.found and answer.vcpus:
        yield from _vcpus(answer.vcpus)
    if not answer.found and answer.evidence:
        yield "evidence:"
        first = answer.evidence[:MAX_EVIDENCE]
        yield from aligned((e.name, _held(e.held) + printable(e.value)) for e in first)
        if len(answer.evidence) > MAX_EVIDENCE:
            yield f"  ... and {len(answer.evidence) - MAX_EVIDENCE} more"
    said = (w for w in answer.warnings if w != answer.reason)
    # Which checks had nothing to say concerns who reads about the checks.
    yield from warnings(w for w in said if verbose or not w.startswith(UNCHECKED))
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
        yield f"Next: get the kernel's vmlinux ({packages}) and give it with --vmlinux"
        yield from (f"      {printable(line)}" for line in answer.debug_install)
    elif answer.found or (answer.vmlinux_fits is None and answer.kernels):
        yield "Next: give the vmlinux of the kernel that ran with --vmlinux"
    if len(answer.kernels) > 1 and not answer.found:
        yield "Next: or choose one of the kernels listed with --kernel ID"


def _kernels(kernels: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The table that ``--kernel ID`` chooses from."""
    yield "kernels (* chosen; --kernel takes the id):"
    head = ("id", "state", "vCPUs", "phys_base", "KASLR offset", "release")
    rows = [head, *(_kernel_row(k) for k in kernels[:MAX_KERNELS])]
    yield from columns(rows)
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
    yield from columns([head, *(_vcpu_row(v, registers) for v in vcpus[:MAX_KERNELS])])
    if len(vcpus) > MAX_KERNELS:
        yield f"  ... and {len(vcpus) - MAX_KERNELS} more"


#: Of a vCPU in the JSON everything else is a register of its architecture.
_NO_REGISTERS = ("index", "mode", "in_image", "kernel")


def _vcpu_row(vcpu: dict[str, Any], registers: Sequence[str]) -> tuple[str, ...]:
    kernel = "-" if vcpu["kernel"] is None else str(vcpu["kernel"])
    values = (str(vcpu[name]) for name in registers)
    return (str(vcpu["index"]), str(vcpu["mode"]), *values, kernel)


def _headline(answer: Location) -> str:
    if answer.found:
        because = f", {printable(answer.reason)}" if answer.reason else ""
        fits = "; the vmlinux given does not fit it" if answer.vmlinux_fits is False else ""
        return f"kernel found ({answer.confidence}{because}){fits}"
    return printable(answer.reason) or "no kernel found"


def _location_fields(answer: Location, *, verbose: bool) -> Iterator[Field]:
    if answer.release:
        yield "release", printable(answer.release)
    if answer.phys_base is not None:
        yield "phys_base", number(answer.phys_base)
    elif answer.kimage_voffset is not None:
        yield "kimage_voffset", hex64(answer.kimage_voffset)
    if answer.phys_offset is not None:
        yield "phys_offset", hex64(answer.phys_offset)
    if answer.kaslr_offset is not None:
        yield "KASLR offset", number(answer.kaslr_offset)
    if answer.text_vaddr is not None and answer.text_paddr is not None:
        yield "kernel text", f"{hex64(answer.text_vaddr)} at physical {hex64(answer.text_paddr)}"
    if answer.crash_args:
        yield "crash options", " ".join(answer.crash_args)
    if answer.build_id:
        yield "build ID", printable(answer.build_id)
    if _wants_vmlinux(answer):
        yield from _where_to_get_vmlinux(answer)
    if verbose:
        yield from _details(answer)


def _details(answer: Location) -> Iterator[Field]:
    if answer.banner:
        yield "banner", printable(answer.banner)
    if answer.page_table_levels:
        shape = f"{answer.page_table_levels} levels"
        if answer.va_bits is not None and answer.page_size is not None:
            shape += f", {answer.va_bits} bits, pages of {size_text(answer.page_size)}"
        yield "page tables", shape
    if answer.method:
        way = WAYS.get(answer.method) or meaning_of_check(answer.method, answer.arch)
        yield "found by", f"{printable(answer.method)}: {way}" if way else printable(answer.method)
    yield "work", f"{counted(answer.pages_read, 'page')} read in {answer.seconds:.2f} s"


def _wants_vmlinux(answer: Location) -> bool:
    """Whether none is at hand that fits."""
    return answer.found and answer.vmlinux_fits is not True


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
