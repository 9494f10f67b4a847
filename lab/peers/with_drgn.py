# SPDX-License-Identifier: GPL-3.0-or-later
"""drgn, in a process of its own; its wheels read kdump through a libkdumpfile of their own."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

from .case import Case, Outcome, Values, asked, ends, line_of

TOOL = "drgn"
ROOT = Path(__file__).parents[2]


def ask(case: Case) -> Outcome:
    """What it says of a dump and a vmlinux."""
    if find_spec("drgn") is None:
        return Outcome(TOOL, None, problem="drgn is not installed")
    argv = [sys.executable, "-m", "lab.peers.in_drgn", case.dump.resolve(), case.vmlinux]
    done = asked(argv, folder=ROOT)
    said = {k: v for line in done.out.splitlines() for k, v in json.loads(line).items()}
    first, last = ends(said.get("log", ()))
    banner = said.get("banner")
    values = Values(said.get("release"), said.get("tasks"), first, last, banner and banner.strip())
    problem = line_of(done.err) if done.status else None
    return Outcome(TOOL, done.status == 0, values, problem)
