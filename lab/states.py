# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of guest states: what crash makes of each dump, and what qemufix does.

A table is of an architecture, a row of a whole dump, with the debug vmlinux at hand where the
lab has it. crash is started the way people start it, without options (lab/crash.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from . import crash
from .target import TARGETS

#: Guests of other programs, in a state that the others show.
NO_STATES = ("ubuntu", "qemu", "versions")
_NOT_ASKED = "not asked here"
_JOBS = 2
_START = "<!-- made by python3 -m lab states; do not edit -->\n"


class Row(NamedTuple):
    """One line of a table."""

    state: str
    shows: str
    crash: str
    qemufix: str


def truths(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The dump to ask of each scenario in ``folder``, with its truth; kdump before ELF.

    Guests that were sent into files, and those of other QEMUs, are in ordinary states, and left
    out.
    """
    for path in sorted(folder.glob("*.json")):
        truth = json.loads(path.read_text())
        names = sorted(truth["dumps"], key=lambda name: (not name.endswith(".kdump"), name))
        present = [path.parent / name for name in names if (path.parent / name).exists()]
        if present and not truth.get("captures") and truth["group"] not in NO_STATES:
            yield present[0], truth


def vmlinux_of(dump: Path, truth: dict[str, Any]) -> str | None:
    """The vmlinux of the right answer, or of whatever kernel may be in memory."""
    paths = [truth.get("vmlinux"), *truth.get("vmlinuxes", [])]
    paths += [kernel["vmlinux"] for kernel in truth.get("kernels", [])]
    return next((str((dump.parent / path).resolve()) for path in paths if path), None)


def crash_answer(dump: Path, truth: dict[str, Any], vmlinux: str | None) -> str:
    """What crash makes of the dump, in words, held against the truth."""
    program = crash.program(truth["arch"])
    if program is None:
        return _NOT_ASKED
    if vmlinux is None:
        return "has no vmlinux to start with"
    answer = crash.ask(program, truth["arch"], vmlinux, dump)
    if isinstance(answer, str):
        return answer
    return _judged(answer, truth, "comes up right", "comes up on")


def qemufix_answer(dump: Path, vmlinux: str | None) -> tuple[str, dict[str, Any]]:
    """What qemufix answers: the words for it, and its JSON."""
    import crashext
    from crashext.locate import locate

    with crashext.open_dump(str(dump)) as opened:
        location = locate(opened, vmlinux=vmlinux)
    words = re.sub(r"\bvCPU \d+[^;]*? at 0x[0-9a-f]+", "vCPUs elsewhere", location.reason)
    return words.partition(";")[0], location.to_json()


def our_answer(dump: Path, truth: dict[str, Any], vmlinux: str | None) -> str:
    """What qemufix makes of the dump, in words, held against the truth."""
    words, answer = qemufix_answer(dump, vmlinux)
    if answer["found"]:
        return _judged(_place(answer), truth, f"right, {answer['confidence']}", "WRONG:")
    states = [kernel["state"] for kernel in answer["kernels"]]
    listed = ", ".join(state for state in states if state != "unverified")
    right = "right" if not truth["found"] else "WRONG"
    return f"{right}: {words}" + (f"; listed: {listed}" if listed else "")


def _judged(found: crash.Place | None, truth: dict[str, Any], right: str, other: str) -> str:
    """``right`` for the answer, else which of the kernels (or none) it is."""
    if truth["found"] and found == _place(truth):
        return right
    for kernel in truth.get("kernels", []):
        if found == _place(kernel):
            return f"{other} the {kernel['role']} kernel"
    return f"{other} what is no kernel"


def _place(kernel: dict[str, Any]) -> crash.Place | None:
    """Where a kernel of a truth or an answer is, None where a part of it is not known."""
    voffset, offset = kernel["kimage_voffset"], kernel["kaslr_offset"]
    return None if voffset is None or offset is None else (int(voffset, 16), int(offset, 16))


def _row(dump: Path, truth: dict[str, Any]) -> Row:
    vmlinux = vmlinux_of(dump, truth)
    theirs, ours = crash_answer(dump, truth, vmlinux), our_answer(dump, truth, vmlinux)
    return Row(truth["scenario"], truth["shows"], theirs, ours)


def write_table(folder: Path, page: Path) -> None:
    """Put a table for each architecture with dumps into the Markdown ``page``, behind its mark."""
    states = list(truths(folder))
    with ThreadPoolExecutor(_JOBS) as pool:
        rows = list(pool.map(lambda state: _row(*state), states))
    lines: list[str] = []
    for arch in TARGETS:
        program = crash.program(arch)
        theirs = "crash" if program is None else crash.version(program)
        lines += ["", f"## {arch}", "", f"| state | what it is | {theirs} | qemufix |"]
        lines.append("|---|---|---|---|")
        lines += [
            "| " + " | ".join(row) + " |"
            for row, (_, truth) in zip(rows, states, strict=True)
            if truth["arch"] == arch
        ]
    head = page.read_text().partition(_START)[0]
    page.write_text(head + _START + "\n".join(lines) + "\n")
