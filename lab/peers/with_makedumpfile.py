# SPDX-License-Identifier: GPL-3.0-or-later
"""makedumpfile from the dump alone: the log, and filtering (``-c -d 31``).

It is built for one architecture, whose dumps it reads. A flattened file it reads only to make
it plain (``-R``), so that is done first, as its users do.
"""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import crashext
from crashext.dumps.kdump import KdumpDump
from crashext.errors import CrashExtError

from ..sysroot import program_for
from ..target import TARGETS
from .case import Case, Outcome, Values, asked, ends, line_of

TOOL = "makedumpfile"
_NO_REASON = re.compile(
    r"makedumpfile Failed|--help|\[ *\d+\.\d %\]|kernel version is not supported|may be incomplete"
)


def ask(case: Case) -> Outcome:
    """The log's ends, and the release and the banner that a filtered dump has."""
    program = program_for(TARGETS[case.truth["arch"]].debian, TOOL)
    if program is None:
        return Outcome(TOOL, None, problem="no makedumpfile of that architecture here")
    with TemporaryDirectory(prefix="lab-", dir=_roomy(case.dump)) as folder:
        dump, log, filtered = case.dump, Path(folder) / "log", Path(folder) / "filtered"
        if case.format == "flat":
            dump = Path(folder) / "plain"
            done = asked([program, "-R", dump], source=case.dump)
            if done.status:
                return Outcome(TOOL, False, problem=_why(done.out + done.err))
        done = asked([program, "--dump-dmesg", dump, log])
        if done.status:
            return Outcome(TOOL, False, problem=_why(done.out + done.err))
        first, last = ends(log.read_text(errors="replace").splitlines())
        done = asked([program, "-c", "-d", "31", dump, filtered], seconds=300)
        if done.status:
            return Outcome(TOOL, False, Values(first=first, last=last), _why(done.out + done.err))
        return _filtered(case, filtered, dump, Values(first=first, last=last))


def _filtered(case: Case, filtered: Path, dump: Path, log: Values) -> Outcome:
    """What is in the dump that it made, which has to be the smaller."""
    before, after = (path.stat().st_blocks for path in (dump, filtered))
    try:
        with crashext.open_dump(str(filtered)) as opened:
            raw = opened.read(case.paddr(case.banner_vaddr), 512)
            assert isinstance(opened, KdumpDump)
            release = opened.header.utsname.release
    except CrashExtError as error:
        return Outcome(TOOL, False, log, line_of(str(error)))
    banner = raw.partition(b"\0")[0].decode(errors="replace").strip()
    problem = None if after < before else "what it filtered is no smaller"
    values = Values(release, None, log.first, log.last, banner)
    return Outcome(TOOL, problem is None, values, problem)


def _why(output: str) -> str:
    """Its last line before the one that says that it failed."""
    lines = [line for line in output.replace("\r", "\n").splitlines() if line.strip()]
    told = [line for line in lines if not _NO_REASON.search(line)]
    return line_of("\n".join(told)) if told else "breaks off without a word"


def _roomy(dump: Path) -> Path | None:
    """Beside a dump of somebody's own, but not in the lab's."""
    return None if dump.resolve().parent.name == "dumps" else dump.parent
