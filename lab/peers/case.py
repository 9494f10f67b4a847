# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump that tools are asked about, and what they answer."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Literal

from ..errors import LabError
from ..target import TARGETS

#: Bytes of a tool's answer that are looked at; a whole log has some 50 KB.
_MOST_OUTPUT = 4 << 20
#: What a tool may write into any file: above the largest dump that the lab has filtered.
_MOST_WRITTEN = 4 << 30
#: With the task or CPU that wrote the line, where the kernel notes it (CONFIG_PRINTK_CALLER).
_STAMP = re.compile(r"\[ *\d+\.\d+\] ?(?:\[ *[TC]\d+\] )?")
_MASK64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Values:
    """What a tool says of a guest; None is what it was not asked or has no answer to.

    Attributes:
        release: of the kernel, as ``uname -r`` has it.
        tasks: threads, without those of process 0, as the kernel's ``nr_threads`` counts.
        first: the first line of the kernel's log, without its time stamp.
        last: the last line of it.
        banner: the text at ``linux_banner``'s virtual address, without its end of line.
    """

    release: str | None = None
    tasks: int | None = None
    first: str | None = None
    last: str | None = None
    banner: str | None = None

    def unlike(self, guest: Values) -> tuple[str, ...]:
        """Names of the values given here that are not those of ``guest``, where it has them."""
        pairs = {f.name: (getattr(self, f.name), getattr(guest, f.name)) for f in fields(self)}
        return tuple(n for n, pair in pairs.items() if None not in pair and pair[0] != pair[1])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one tool on one dump.

    Attributes:
        opened: None where the tool is not for such a dump, or not here.
        problem: one line in the tool's words, or why it was not asked; None if there is none.
    """

    tool: str
    opened: bool | None
    values: Values = Values()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A dump with what its guest said of itself; ``vmlinux`` has debug information."""

    dump: Path
    truth: dict[str, Any]
    vmlinux: Path

    @property
    def arch(self) -> str:
        """As the truth files name it."""
        return str(self.truth["arch"])

    @property
    def byte_order(self) -> Literal["little", "big"]:
        """The kernel's, which a dump's headers need not have."""
        return TARGETS[self.truth["arch"]].byte_order

    @property
    def kaslr_offset(self) -> int:
        """What the kernel's addresses have more than its vmlinux."""
        return int(self.truth["kaslr_offset"], 16)

    @property
    def banner_vaddr(self) -> int:
        """Where the running kernel has ``linux_banner``."""
        return int(self.truth["symbols"]["linux_banner"], 16)

    def paddr(self, vaddr: int) -> int:
        """Where an address of the kernel's image lies in memory."""
        return (vaddr - int(self.truth["kimage_voffset"], 16)) & _MASK64

    @property
    def format(self) -> str:
        """``elf``, ``kdump``, ``flat`` (flattened kdump), or ``other``."""
        with self.dump.open("rb") as file:
            magic = file.read(12)
        kinds = {b"\x7fELF": "elf", b"KDUMP   ": "kdump", b"makedumpfile": "flat"}
        return next((kind for start, kind in kinds.items() if magic.startswith(start)), "other")


def case(dump: Path, truth_file: Path | None = None) -> Case | None:
    """The case of a lab dump; None where there is no kernel to find, or no vmlinux of it."""
    truth_file = truth_file or dump.with_suffix(".json")
    truth = json.loads(truth_file.read_text())
    if not truth["found"] or not truth["vmlinux"]:
        return None
    vmlinux = (truth_file.parent / truth["vmlinux"]).resolve()
    return Case(dump, truth, vmlinux) if vmlinux.exists() else None


@dataclass(frozen=True, slots=True)
class Finished:
    """How a tool's process ended; output is cut off where there is too much of it."""

    status: int
    out: str
    err: str


def asked(argv: Sequence[object], *, given: str = "", seconds: float = 120,
          source: Path | None = None, folder: Path | None = None) -> Finished:  # fmt: skip
    """Run a tool (words and paths) with ``given``, or the file ``source``, as its input.

    It may write so much into a file, and take so long; its children end with it.

    Raises:
        LabError: it is not there, or did not end in time.
    """
    limited = ["setsid", "prlimit", f"--fsize={_MOST_WRITTEN}", "timeout", "-k5", f"{seconds}"]
    with TemporaryFile() as feed, TemporaryFile() as out, TemporaryFile() as err:
        feed.write(given.encode())
        feed.seek(0)
        words = [*limited, *map(str, argv)]
        environment = {"TERM": "dumb", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
        with source.open("rb") if source else feed as stdin:
            done = subprocess.run(
                words, stdin=stdin, stdout=out, stderr=err, cwd=folder, env=environment, check=False
            )
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read(_MOST_OUTPUT).decode(errors="replace"))
    name = Path(words[len(limited)]).name
    if done.returncode in (124, 137):
        raise LabError(f"{name}: hangs ({seconds:.0f} s)")
    if done.returncode == 127:
        raise LabError(f"{name}: not installed")
    return Finished(done.returncode, *texts)


def line_of(text: str) -> str:
    """The last line of ``text`` that says something, fit to be printed: paths cut, short."""
    lines = [" ".join(line.split()) for line in re.split(r"[\r\n]", text) if line.strip()]
    last = lines[-1] if lines else "no message"
    return re.sub(r"(?<![\w/])/[^\s'\"=]*/([^\s/]+)", r"\1", last)[:160]


def ends(log: Sequence[str]) -> tuple[str | None, str | None]:
    """The first and last line of a log, without time stamps."""
    lines = [_STAMP.sub("", line, count=1).strip() for text in log for line in text.splitlines()]
    lines = [line for line in lines if line]
    return (lines[0], lines[-1]) if lines else (None, None)
