# SPDX-License-Identifier: GPL-3.0-or-later
"""What crash, started without options, makes of a dump: read from its own tables.

The machine's own crash reads dumps of the machine's architecture; for others Debian's crash
of that architecture is run by QEMU's user mode (lab/sysroot.py), where the lab knows how.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .errors import run
from .sysroot import EMULATORS, make_root, program_for
from .target import START_KERNEL_MAP, TARGETS

#: Where a kernel is: ``kimage_voffset`` and KASLR offset.
Place = tuple[int, int]

_MASK64 = (1 << 64) - 1
_COMMANDS = "help -m | grep {word}\nhelp -k | grep relocate\nquit\n"
_OFFSET = re.compile(r"relocate: .*KASLR offset: ([0-9a-f]+)")
#: Seconds; an emulated session takes half a minute on an idle machine.
_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Question:
    """The word of ``help -m`` that a placement stands behind, and its kimage_voffset."""

    word: str
    voffset: Callable[[int], int]


#: By architecture: those that crash is asked of.
_QUESTIONS: Mapping[str, Question] = {
    "x86_64": Question("phys_base", lambda value: (START_KERNEL_MAP - value) & _MASK64),
    "aarch64": Question("kimage_voffset", lambda value: value),
}


@cache
def program(arch: str) -> str | None:
    """The crash that reads dumps of ``arch``, None where there is none."""
    if arch not in _QUESTIONS:
        return None
    return program_for(TARGETS[arch].debian, "crash")  # type: ignore[index]


def make_programs(say: Callable[[str], None]) -> None:
    """Unpack what :func:`program` looks for.

    Raises:
        LabError: a package can't be had.
    """
    for debian in EMULATORS:
        make_root(debian, say)


def version(program: str) -> str:
    """Its name and version, as it says it."""
    return run([program, "--version"]).split("\nCopyright", 1)[0].strip()


def ask(program: str, arch: str, vmlinux: str, dump: Path) -> Place | str:
    """Where a crash without options has the kernel; in words where it does not come up."""
    question = _QUESTIONS[arch]
    try:
        done = subprocess.run(
            [program, "-s", vmlinux, str(dump)],
            input=_COMMANDS.format(word=question.word),
            capture_output=True, text=True, timeout=_LIMIT, errors="replace",
            check=False, env={"TERM": "dumb", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"hangs ({_LIMIT} s)"
    value = re.search(rf"{question.word}: ([0-9a-f]+)", done.stdout)
    offset = _OFFSET.search(done.stdout)
    if value is None:
        return f"does not come up: {last_words(done.stdout + done.stderr)}"
    return question.voffset(int(value.group(1), 16)), int(offset.group(1), 16) if offset else 0


def last_words(output: str) -> str:
    """What crash said last, without what differs between machines and boots."""
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("crash:")] or lines or ["no message"]
    words = re.sub(r"\S*/(\S+)", r"\1", errors[-1].removeprefix("crash: "))
    # Where it says that files do not match, crash names some up to the first dot, not always.
    words = re.sub(r"\b(vmlinux-\d+)\S+(?= and )", r"\1", words)
    return re.sub(r"\b(0x)?[0-9a-f]{6,16}\b", "...", words)[:100]
