# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of guest states: what crash makes of each dump, and what qemufix does.

A row is of a whole dump with the debug vmlinux at hand, and of x86_64, whose dumps this machine's
crash reads. crash is started the way people start it, without options; what it answers is read
from its own tables.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .errors import run

_QUESTIONS = "help -m | grep phys_base\nhelp -k | grep relocate\nquit\n"
_PHYS_BASE = re.compile(r"phys_base: ([0-9a-f]+)")
_OFFSET = re.compile(r"relocate: .*KASLR offset: ([0-9a-f]+)")
_LIMIT = 120
_START = "<!-- made by python3 -m lab states; do not edit -->\n"


class Row(NamedTuple):
    """One line of the table."""

    state: str
    shows: str
    crash: str
    qemufix: str


def truths(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The dump to ask of each scenario in ``folder``, with its truth; kdump before ELF."""
    for path in sorted(folder.glob("*.json")):
        truth = json.loads(path.read_text())
        if truth["arch"] != "x86_64":
            continue
        names = sorted(truth["dumps"], key=lambda name: (not name.endswith(".kdump"), name))
        present = [path.parent / name for name in names if (path.parent / name).exists()]
        if present:
            yield present[0], truth


def vmlinux_of(dump: Path, truth: dict[str, Any]) -> str | None:
    """The vmlinux of the right answer, or of whatever kernel may be in memory."""
    paths = [truth.get("vmlinux"), *truth.get("vmlinuxes", [])]
    paths += [kernel["vmlinux"] for kernel in truth.get("kernels", [])]
    return next((str((dump.parent / path).resolve()) for path in paths if path), None)


def crash_answer(dump: Path, truth: dict[str, Any], vmlinux: str) -> str:
    """What crash makes of the dump, in words, held against the truth."""
    try:
        done = subprocess.run(
            ["crash", "-s", vmlinux, str(dump)],
            input=_QUESTIONS, capture_output=True, text=True, timeout=_LIMIT, errors="replace",
            check=False, env={"TERM": "dumb", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"hangs ({_LIMIT} s)"
    phys_base, offset = _PHYS_BASE.search(done.stdout), _OFFSET.search(done.stdout)
    if phys_base is None:
        return f"does not come up: {_last_words(done.stdout + done.stderr)}"
    found = int(phys_base.group(1), 16), int(offset.group(1), 16) if offset else 0
    return _judged(found, truth, "comes up right", "comes up on")


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
        found = int(answer["phys_base"], 16), int(answer["kaslr_offset"], 16)
        return _judged(found, truth, f"right, {answer['confidence']}", "WRONG:")
    states = [kernel["state"] for kernel in answer["kernels"]]
    listed = ", ".join(state for state in states if state != "unverified")
    right = "right" if not truth["found"] else "WRONG"
    return f"{right}: {words}" + (f"; listed: {listed}" if listed else "")


def _judged(found: tuple[int, int], truth: dict[str, Any], right: str, other: str) -> str:
    """``right`` for the answer, else which of the kernels (or none) it is."""
    if truth["found"] and found == _place(truth):
        return right
    for kernel in truth.get("kernels", []):
        if found == _place(kernel):
            return f"{other} the {kernel['role']} kernel"
    return f"{other} what is no kernel"


def _place(kernel: dict[str, Any]) -> tuple[int, int]:
    return int(kernel["phys_base"], 16), int(kernel["kaslr_offset"], 16)


def _last_words(output: str) -> str:
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("crash:")] or lines or ["no message"]
    words = re.sub(r"\S*/(\S+)", r"\1", errors[-1].removeprefix("crash: "))
    return re.sub(r"\b(0x)?[0-9a-f]{6,16}\b", "...", words)[:100]


def rows(folder: Path) -> Iterator[Row]:
    """A row for each state that has a dump in ``folder``."""
    for dump, truth in truths(folder):
        vmlinux = vmlinux_of(dump, truth)
        crash = crash_answer(dump, truth, vmlinux) if vmlinux else "has no vmlinux to start with"
        yield Row(truth["scenario"], truth["shows"], crash, our_answer(dump, truth, vmlinux))


def write_table(folder: Path, page: Path) -> None:
    """Put the table into the Markdown ``page``, behind its mark."""
    version = run(["crash", "--version"]).split("\nCopyright", 1)[0].strip()
    table = [f"| state | what it is | {version} | qemufix |", "|---|---|---|---|"]
    table += ["| " + " | ".join(row) + " |" for row in rows(folder)]
    head = page.read_text().partition(_START)[0]
    page.write_text(head + _START + "\n" + "\n".join(table) + "\n")
