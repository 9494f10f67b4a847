# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON contract of ``report``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..detect.result import Detection
from ..dumps.base import Dump
from ..kernel.cpus import RunningTask
from ..kernel.machine import SECOND
from ..kernel.tasks import STATES
from ..locate.result import Location
from ..text import hex64, printable
from .facts import Facts
from .vcpus import VcpuPlace

_LAST_MESSAGES = 10
_MOST_MODULES = 1000


class FileFacts(NamedTuple):
    """The dump itself: see :class:`crashext.dumps.base.Dump` and :mod:`crashext.detect`."""

    format: str
    flattened: bool
    compression: str
    origin: str
    ram_bytes: int
    ranges: int
    complete: bool
    vmcoreinfo: bool
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, dump: Dump, seen: Detection) -> FileFacts:
        """Of an open dump."""
        return cls(
            dump.format, dump.flattened, dump.compression, seen.origin, dump.ram_bytes,
            len(dump.ram), dump.complete, dump.vmcoreinfo is not None, dump.warnings,
        )  # fmt: skip


class Report(NamedTuple):
    """One dump: where its kernel is, the file, and the facts; None where no kernel was found.

    ``in_crash`` says that a crash session asks.
    """

    location: Location
    file: FileFacts
    facts: Facts | None
    in_crash: bool = False

    @property
    def command(self) -> tuple[str, ...]:
        """The words of the command that goes on from here."""
        if self.in_crash:
            return ("qemufix", "physbase", "--apply" if self.location.found else "--all")
        if self.location.found:
            return ("qemufix", "crash", self.location.path)
        return ("qemufix", "physbase", "--all", self.location.path)

    def to_json(self) -> dict[str, Any]:
        """The dict that ``--json`` prints (schema 1)."""
        where = self.location
        return {
            "schema": 1,
            "path": where.path,
            "arch": where.arch,
            "found": where.found,
            "confidence": where.confidence,
            "reason": printable(where.reason),
            "release": _text(where.release),
            "build_id": where.build_id,
            "banner": _text(where.banner),
            "phys_base": None if where.phys_base is None else hex64(where.phys_base),
            "kaslr_offset": None if where.kaslr_offset is None else hex64(where.kaslr_offset),
            "file": {**self.file._asdict(), "warnings": list(map(printable, self.file.warnings))},
            **(_facts(self.facts) if self.facts else {}),
            "next": list(self.command),
        }


def utc(nanoseconds: int) -> datetime:
    """A time of the kernel's, to the microsecond."""
    seconds, rest = divmod(nanoseconds, SECOND)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)


def _facts(facts: Facts) -> dict[str, Any]:
    tasks, modules, panic, log = facts.tasks, facts.modules, facts.panic, facts.log
    return {
        "hostname": _text(facts.hostname),
        "boot_time": utc(facts.times.boot).isoformat() if facts.times else None,
        "uptime": round(facts.times.uptime / SECOND, 3) if facts.times else None,
        "command_line": _text(facts.command_line),
        "taint": facts.taint,
        "panic": panic and {
            "message": _text(panic.message),
            "fault": _text(panic.fault),
            "function": _text(panic.function),
            "fatal": panic.fatal,
            "cpu": facts.panic_cpu,
        },
        "vcpus": [_vcpu(each) for each in facts.vcpus],
        "cpus": [_running(each) for each in facts.cpus],
        "tasks": tasks and {
            "count": len(tasks.tasks),
            "states": {STATES.get(letter, "unknown"): n for letter, n in facts.states.items()},
        },
        "modules": modules and [
            {"name": _text(m.name), "vaddr": hex64(m.vaddr), "size": m.size}
            for m in modules.modules[:_MOST_MODULES]
        ],
        "log": log and [
            {"nanoseconds": record.nanoseconds, "level": record.level, "text": _text(record.text)}
            for record in log.records[-_LAST_MESSAGES:]
        ],
        "lacking": {name: printable(reason) for name, reason in facts.lacking.items()},
    }  # fmt: skip


def _vcpu(vcpu: VcpuPlace) -> dict[str, Any]:
    return {
        "index": vcpu.number,
        "mode": vcpu.mode,
        "pc": hex64(vcpu.pc),
        "symbol": _text(vcpu.symbol),
        "task": _running(vcpu.running) if vcpu.running else None,
        "task_by": vcpu.by,
        "other_kernel": vcpu.other_kernel,
    }


def _running(running: RunningTask) -> dict[str, Any]:
    task = running.task
    return {
        "cpu": running.cpu,
        "online": running.online,
        "pid": task.pid,
        "name": _text(task.name),
        "vaddr": hex64(task.vaddr),
    }


def _text(value: str | bytes | None) -> str | None:
    return None if value is None else printable(value)
