# SPDX-License-Identifier: GPL-3.0-or-later
"""libkdumpfile, through Debian's Python binding."""

from __future__ import annotations

import json
from pathlib import Path

from .case import Case, Outcome, Values, asked, line_of

TOOL = "libkdumpfile"
PYTHON = "/usr/bin/python3"
ROOT = Path(__file__).parents[2]


def ask(case: Case) -> Outcome:
    """What it says; it knows no tasks and no log."""
    module = "lab.peers.in_kdumpfile"
    argv = [PYTHON, "-m", module, case.dump.resolve(), f"{case.banner_vaddr:#x}"]
    done = asked(argv, folder=ROOT)
    if "No module named 'kdumpfile'" in done.err:
        return Outcome(TOOL, None, problem="python3-libkdumpfile is not installed")
    said = {k: v for line in done.out.splitlines() for k, v in json.loads(line).items()}
    values = Values(said.get("release"), banner=said.get("banner"))
    problem = line_of(done.err).rpartition("Exception: ")[2] if done.status else None
    return Outcome(TOOL, done.status == 0, values, problem)
