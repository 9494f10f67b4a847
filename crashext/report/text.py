# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as one screen of text; every word that came from a dump is escaped."""

from __future__ import annotations

from collections.abc import Iterator

from ..detect.meaning import writer
from ..kernel.log import Log
from ..kernel.machine import SECOND
from ..kernel.tasks import STATES
from ..text import counted, printable, shell_word, shown, size_text
from .facts import Facts
from .result import FileFacts, Report, utc
from .vcpus import VcpuPlace

_MOST_VCPUS, _MOST_MODULES, _LAST_MESSAGES = 8, 12, 8
_WIDTH = 12


def lines(report: Report) -> Iterator[str]:
    """The lines for people: kernel, what happened, who runs, the file, how to go on."""
    where = report.location
    if where.found:
        release = printable(where.release or "an unknown kernel")
        yield f"{shown(where.path)}: Linux {release}, {where.arch} ({where.confidence})"
    else:
        yield f"{shown(where.path)}: no kernel: {printable(where.reason)}"
    if report.facts is not None:
        yield from _facts(report.facts)
    yield from _file(report.file)
    if report.facts is not None:
        yield from _log(report.facts.log)
        for name, reason in report.facts.lacking.items():
            yield f"not had: {name.replace('_', ' ')}: {printable(reason)}"
    for warning in report.file.warnings:
        yield f"warning: {shown(warning)}"
    yield f"Next: {' '.join(map(shell_word, report.command))}"


def _facts(facts: Facts) -> Iterator[str]:
    if facts.hostname is not None:
        yield _line("host", printable(facts.hostname))
    if facts.times is not None:
        boot = f"{utc(facts.times.boot):%Y-%m-%d %H:%M:%S} UTC"
        yield _line("booted", f"{boot}, up {duration(facts.times.uptime)}")
    if facts.command_line is not None:
        yield _line("command line", printable(facts.command_line))
    if facts.taint:
        yield _line("tainted", facts.taint)
    yield from _panic(facts)
    for vcpu in facts.vcpus[:_MOST_VCPUS]:
        yield _line(f"vCPU {vcpu.number}", _vcpu(vcpu))
    if len(facts.vcpus) > _MOST_VCPUS:
        yield _line("", f"... and {len(facts.vcpus) - _MOST_VCPUS} more vCPUs")
    if facts.tasks is not None:
        counted = ", ".join(
            f"{n} {STATES.get(s, 'unknown')}" for s, n in facts.states.most_common()
        )
        yield _line("tasks", f"{len(facts.tasks.tasks)}: {counted}")
    if facts.modules is not None and facts.modules.modules:
        names = [printable(module.name) for module in facts.modules.modules]
        more = f" ... and {len(names) - _MOST_MODULES} more" if len(names) > _MOST_MODULES else ""
        yield _line("modules", f"{len(names)}: {' '.join(names[:_MOST_MODULES])}{more}")


def _panic(facts: Facts) -> Iterator[str]:
    panic = facts.panic
    if panic is None:
        return
    cpu = "" if facts.panic_cpu is None or not panic.fatal else f"CPU {facts.panic_cpu}: "
    function = f", in {printable(panic.function)}" if panic.function else ""
    yield _line("panic" if panic.fatal else "fault", f"{cpu}{_first(panic.message)}{function}")
    if panic.fault is not None:
        yield _line("", f"after {_first(panic.fault)}")


def _vcpu(vcpu: VcpuPlace) -> str:
    place = printable(vcpu.symbol) if vcpu.symbol else f"{vcpu.mode}, {vcpu.pc:#x}"
    if vcpu.other_kernel is not None:
        return f"{place}, in another kernel ({vcpu.other_kernel})"
    if vcpu.running is None:
        return place
    task = vcpu.running.task
    unsure = f" (if it is CPU {vcpu.number})" if vcpu.by == "number" else ""
    return f"{place}, runs {printable(task.name)} (pid {task.pid}){unsure}"


def _file(file: FileFacts) -> Iterator[str]:
    form = file.format.upper() + (", flattened" if file.flattened else "")
    packed = "" if file.compression == "none" else f", {file.compression} pages"
    whole = "complete" if file.complete else "not complete"
    info = "with VMCOREINFO" if file.vmcoreinfo else "without VMCOREINFO"
    by = "an unknown tool" if file.origin == "unknown" else writer(file.origin)
    yield _line("file", f"{form}{packed}, written by {by}, {info}, {whole}")
    yield _line("memory", f"{size_text(file.ram_bytes)} in {counted(file.ranges, 'range')}")


def _log(log: Log | None) -> Iterator[str]:
    if log is None or not log.records:
        return
    yield "last messages (all: qemufix dmesg):"
    for record in log.records[-_LAST_MESSAGES:]:
        time = f"[{record.time}] " if record.time else ""
        yield f"  {time}{_first(record.text)}"


def _first(text: bytes) -> str:
    """The first line of a message, escaped."""
    return printable(text.split(b"\n", 1)[0])


def _line(name: str, value: str) -> str:
    return f"  {name:<{_WIDTH}}  {value}"


def duration(nanoseconds: int) -> str:
    """``3 days 02:05:11``, ``15.4 s``."""
    seconds = nanoseconds // SECOND
    if seconds < 60:
        return f"{nanoseconds / SECOND:.1f} s"
    days, rest = divmod(seconds, 86400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return clock if not days else f"{days} {'day' if days == 1 else 'days'} {clock}"
