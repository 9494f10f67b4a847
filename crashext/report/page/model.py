# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says, as data for its template: every word of the guest's is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...kernel.machine import SECOND
from ...kernel.tasks import STATES
from ...text import counted, size_text
from ..facts import Facts
from ..panic import Panic
from ..result import FileFacts, Report, utc
from ..text import duration
from ..vcpus import VcpuPlace
from .places import Living, Place
from .words import extent, name, short, shown, span

_MOST_VCPUS, MOST_PLACES, _MOST_MODULES, _MOST_WARNINGS = 256, 400, 400, 60
_NAME, _SENTENCE = 80, 400  # characters
_KINDS = {
    "kernel": "kernel image", "part": "part of it", "tables": "page table",
    "vmcoreinfo": "VMCOREINFO", "log": "log", "capture": "crash kernel's memory",
    "firmware": "firmware",
}  # fmt: skip


class Fact(NamedTuple):
    """A name and what there is to it."""

    name: str
    value: str


def headline(report: Report) -> dict[str, Any]:
    """What happened, in a line or two; ``tone`` is ``bad``, ``unsure`` or ``calm``."""
    facts, where = report.facts, report.location
    if not where.found:
        return {"tone": "unsure", "title": "No kernel was found", "lines": [shown(where.reason)]}
    panic = facts.panic if facts else None
    if panic is None:
        said = facts is not None and facts.log is not None
        title = "No panic in its log" if said else "Its log can't be read"
        return {"tone": "calm" if said else "unsure", "title": title, "lines": []}
    title = "Kernel panic" if panic.fatal else "A fault, and it went on"
    return {"tone": "bad", "title": title, "lines": _panic_lines(panic, facts)}


def _panic_lines(panic: Panic, facts: Facts | None) -> list[str]:
    lines = [short(panic.message.split(b"\n", 1)[0], _SENTENCE)]
    place = []
    if panic.function:
        place.append(f"in {short(panic.function, _NAME)}")
    if facts is not None and facts.panic_cpu is not None and panic.fatal:
        place.append(f"on CPU {facts.panic_cpu}")
    if place:
        lines.append(" ".join(place))
    if panic.fault is not None:
        lines.append("after " + short(panic.fault.split(b"\n", 1)[0], _SENTENCE))
    return lines


def guest_facts(report: Report) -> list[Fact]:
    """The kernel and its guest."""
    where, facts = report.location, report.facts
    found = [
        Fact("Kernel", shown(where.release or "unknown")),
        Fact("Architecture", shown(where.arch)),
        Fact("Found", where.confidence + (f": {shown(where.reason)}" if where.reason else "")),
    ]
    if facts is None:
        return found
    if facts.hostname is not None:
        found.append(Fact("Host", short(facts.hostname, _NAME)))
    if facts.times is not None:
        found.append(Fact("Booted", f"{utc(facts.times.boot):%Y-%m-%d %H:%M:%S} UTC"))
        found.append(Fact("Up", duration(facts.times.uptime)))
    if facts.taint is not None:
        found.append(Fact("Tainted", facts.taint or "no"))
    if facts.tasks is not None:
        counts = ", ".join(f"{n} {STATES.get(s, 'unknown')}" for s, n in facts.states.most_common())
        found.append(Fact("Tasks", f"{len(facts.tasks.tasks)}: {counts}"))
    if facts.command_line is not None:
        found.append(Fact("Command line", short(facts.command_line, 4 * _SENTENCE)))
    return found


def file_facts(file: FileFacts, path: str) -> list[Fact]:
    """The dump's own file."""
    form = file.format.upper() + (", flattened" if file.flattened else "")
    packed = "" if file.compression == "none" else f", {file.compression} pages"
    return [
        Fact("File", name(path)),
        Fact("Format", form + packed),
        Fact("Written by", file.origin),
        Fact("Memory", f"{size_text(file.ram_bytes)} in {counted(file.ranges, 'range')}"),
        Fact("VMCOREINFO", "in the file" if file.vmcoreinfo else "not in the file"),
        Fact("Whole", "yes" if file.complete else "no: see what is missing"),
    ]


def places_rows(places: Sequence[Place]) -> list[dict[str, str]]:
    """The table of places."""
    return [
        {
            "kind": _KINDS[each.kind],
            "css": each.kind,
            "name": short(each.name, _NAME) + (f", {each.state}" if each.state else ""),
            "span": span(each.start, each.end),
            "size": extent(each.start, each.end) or "its end isn't known",
            "source": short(each.source, 2 * _NAME),
        }
        for each in places
    ]


def vcpu_rows(
    vcpus: Sequence[VcpuPlace], living: Sequence[Living], places: Sequence[Place]
) -> list[dict[str, str]]:
    """The table of vCPUs."""
    paddrs = {each.number: each.paddr for each in living}
    return [_vcpu(each, paddrs.get(each.number), places) for each in vcpus[:_MOST_VCPUS]]


def _vcpu(vcpu: VcpuPlace, paddr: int | None, places: Sequence[Place]) -> dict[str, str]:
    running = vcpu.running
    task = ""
    if vcpu.other_kernel is not None:
        task = f"runs in another kernel, {vcpu.other_kernel}"
    elif running is not None:
        task = f"{short(running.task.name, _NAME)} (pid {running.task.pid})"
        task += f", if it is CPU {vcpu.number}" if vcpu.by == "number" else ""
    inside = [p for p in places if paddr is not None and p.start <= paddr < (p.end or 0)]
    return {
        "number": str(vcpu.number),
        "mode": shown(vcpu.mode),
        "pc": f"{vcpu.pc:#x}",
        "symbol": short(vcpu.symbol, 2 * _NAME) if vcpu.symbol else "",
        "task": task,
        "paddr": "not mapped" if paddr is None else f"{paddr:#x}",
        "place": short(inside[-1].name, _NAME) if inside else "",
    }


def modules(facts: Facts | None) -> dict[str, Any]:
    """Names and sizes; what is beyond the limit is counted."""
    every = facts.modules.modules if facts and facts.modules else ()
    named = [
        {"name": short(m.name, _NAME), "size": size_text(m.size) if m.size else "",
         "vaddr": f"{m.vaddr:#x}"}
        for m in every[:_MOST_MODULES]
    ]  # fmt: skip
    return {"named": named, "more": max(len(every) - _MOST_MODULES, 0), "count": len(every)}


def missing(report: Report) -> list[str]:
    """What is damaged, lacking or odd."""
    lines = [*report.file.warnings, *report.location.warnings]
    facts = report.facts
    if facts is not None:
        lines += [f"not had: {n.replace('_', ' ')}: {why}" for n, why in facts.lacking.items()]
        lines += [f"log: {problem}" for problem in (facts.log.problems if facts.log else ())]
    if not report.file.complete and not report.file.warnings:
        lines.append("the file is not complete")
    unique = list(dict.fromkeys(short(line, _SENTENCE) for line in lines))
    return unique[:_MOST_WARNINGS]


def since_boot(facts: Facts | None) -> str:
    """How long the kernel ran, in seconds, for the times of its log."""
    times = facts.times if facts else None
    return "" if times is None else f"{times.uptime / SECOND:.1f}"
