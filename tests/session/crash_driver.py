# SPDX-License-Identifier: GPL-3.0-or-later
"""Running real crash sessions on the lab's dumps."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "qemufix.so"
DUMPS = ROOT / "lab" / "dumps"
HEADER = Path("/usr/include/crash/defs.h")
#: A crash start takes 5 to 10 s on an idle machine, and many times that on a busy one.
TIMEOUT = 240


@dataclass(frozen=True)
class Guest:
    """One lab dump with its kernel and its guest's own truth."""

    dump: Path
    vmlinux: Path
    truth: dict[str, Any]

    @property
    def phys_base(self) -> str:
        return str(self.truth["phys_base"])

    @property
    def kaslr_offset(self) -> str:
        return str(self.truth["kaslr_offset"])

    @property
    def right(self) -> list[str]:
        """crash's arguments for a session that starts right."""
        return [f"--kaslr={self.kaslr_offset}", "--machdep", f"phys_base={self.phys_base}"]

    def argv(self, *options: str) -> list[str]:
        # Without address randomisation heap addresses agree between sessions.
        return ["setarch", "-R", "crash", "--no_scroll", "--no_crashrc", *options,
                str(self.vmlinux), str(self.dump)]  # fmt: skip


def guest(name: str) -> Guest:
    """The lab dump ``name`` (``ovmf-kaslr.elf``); skips the test where there is none."""
    dump = DUMPS / name
    truth = dump.with_suffix(".json")
    if not (shutil.which("crash") and shutil.which("setarch")):
        pytest.skip("crash is not installed")
    if not PLUGIN.exists():
        pytest.skip("the plugin is not built (make)")
    if not (dump.exists() and truth.exists()):
        pytest.skip(f"no lab dump {name} (make sample-dumps)")
    facts = json.loads(truth.read_text())
    return Guest(dump, (DUMPS / facts["vmlinux"]).resolve(), facts)


def build_extension(source: str, library: Path, *more: str) -> Path:
    """Compile a C file of this folder for the crash that is installed; skips without its header."""
    if not HEADER.exists():
        pytest.skip("crash's defs.h is not installed")
    gdb = sorted(set(re.findall(r"GDB_\d[0-9_]*", HEADER.read_text())),
                 key=lambda name: [int(n) for n in name.split("_")[1:]])[-1]  # fmt: skip
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-w", f"-I{HEADER.parent}", "-DX86_64", f"-D{gdb}",
         "-o", library, Path(__file__).with_name(source), *more],
        check=True,
    )  # fmt: skip
    return library


#: A dump that crash 8.0.2, 8.0.6 and 9.0.2 open when they are told right.  8.0.6 ends at its own
#: start on guests of 6.1 that did not panic: it reads an exception stack that kernels without
#: AMD_MEM_ENCRYPT do not map.
OPENED = "panicked.kdump"
#: In place of a command's output: the session had ended before.
NEVER_RAN = "(never ran)"


@dataclass(frozen=True)
class Finished:
    """A crash session that has ended."""

    status: int
    out: str


def environment(**extra: str) -> dict[str, str]:
    return {**os.environ, "TERM": "dumb", "HOME": "/nonexistent", **extra}


def run_crash(
    argv: Sequence[str],
    commands: Sequence[str],
    *,
    cwd: Path,
    env: dict[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> Finished:
    """Run crash in ``cwd`` with ``commands`` on its stdin; stderr goes with stdout."""
    done = subprocess.run(
        argv,
        input="".join(line + "\n" for line in commands),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=cwd,
        env=env or environment(),
        timeout=timeout,
        check=False,
    )
    return Finished(done.returncode, done.stdout)


def outputs(
    argv: Sequence[str], before: Sequence[str], commands: Sequence[str], cwd: Path
) -> tuple[str, dict[str, str]]:
    """Run ``before``, then each command with its output in a file of its own.

    Returns what went to the terminal, and each command's output.
    """
    redirected = [f"{command} > {cwd}/{i}.out" for i, command in enumerate(commands)]
    done = run_crash(argv, [*before, *redirected], cwd=cwd)
    texts = {}
    for i, command in enumerate(commands):
        file = cwd / f"{i}.out"
        texts[command] = file.read_text(errors="replace") if file.exists() else NEVER_RAN
    return done.out, texts
