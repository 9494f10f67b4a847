# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of tools: what each makes of a dump before ``qemufix repair`` and after.

A row is of one dump in one format. It is copied, and the copy repaired in place, so that it
stays in the format that it is in; where repair says that some tools can only read a new file,
one is written.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .errors import LabError, run
from .peer_page import FORMATS, Line, Page, Said
from .peers import PEERS, ask, guest, judged
from .peers.case import Case, Outcome, Values, case

GROUPS = ("core", "arm64")
#: One guest each of what else tools read, and what no guest of those groups is.
MORE = ("panicked", "newer-kernel", "i386-pae", "s390x-direct", "ppc64le-radix", "riscv64-sv48")
#: An emulated crash takes minutes: of these architectures it is asked about these alone.
EMULATED_CRASH = {
    "aarch64": (
        "arm64-vmcoreinfo.flat", "arm64-uefi.kdump", "arm64-panicked.elf",
    )
}  # fmt: skip
_JOBS = 2
_NEW_FILE = "new file (-o)"  # in a warning of repair
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Row:
    """One dump in one format: each tool's outcomes before and after, None where not asked."""

    name: str
    arch: str
    format: str
    guest: Values
    before: Mapping[str, Outcome]
    after: Mapping[str, Outcome]

    def cell(self, tool: str) -> str:
        """``before → after``, once where both are the same, nothing where not asked."""
        if tool not in self.before:
            return ""
        words = [judged(each[tool], self.guest) for each in (self.before, self.after)]
        return words[0] if len(set(words)) == 1 else " → ".join(words)

    @property
    def line(self) -> Line:
        """What the table has of it."""
        return Line(self.arch, self.name, self.format, {tool: self.cell(tool) for tool in PEERS})

    def said(self) -> Iterator[Said]:
        """What tools say that do not give the guest's values."""
        for when, outcomes in (("before", self.before), ("after", self.after)):
            for tool, outcome in outcomes.items():
                wrong = outcome.values.unlike(self.guest) if outcome.opened else ()
                text = outcome.problem or (f"other {', '.join(wrong)}" if wrong else "")
                if text and outcome.opened is not None:
                    yield Said(tool, when, text, self.line.dump)


def rows_asked(folder: Path) -> list[Case]:
    """The dumps of the table, in its order."""
    found: list[Case] = []
    for path in sorted(folder.glob("*.json")):
        truth = json.loads(path.read_text())
        if truth["group"] in GROUPS or truth["scenario"] in MORE:
            for suffix in FORMATS:
                dump = path.with_suffix(f".{suffix}")
                if dump.name in truth["dumps"] and dump.exists() and (one := case(dump)):
                    found.append(one)
    return found


def repaired(one: Case, folder: Path) -> Case:
    """The case of a copy in ``folder`` that was repaired in place, or of a new file there.

    Raises:
        LabError: ``qemufix repair`` failed.
    """
    copy = folder / one.dump.name
    run(["cp", "--sparse=always", "--reflink=auto", one.dump, copy])
    options: list[str | Path] = ["--json", "--vmlinux", one.vmlinux]
    try:
        warnings = repair([copy, "--in-place", *options])["warnings"]
    except LabError as refused:
        warnings = [str(refused)]
    if any(_NEW_FILE in warning for warning in warnings):
        copy = folder / f"new-{one.dump.name}"
        repair([one.dump, "-o", copy, *options])
    return replace(one, dump=copy)


def repair(options: Sequence[str | Path]) -> dict[str, Any]:
    """Run ``qemufix repair`` with ``--json`` among its options; what it answers.

    Raises:
        LabError: its exit status is not 0.
    """
    argv = [sys.executable, "-m", "crashext", "repair", *options]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"qemufix repair: exit status {done.returncode}: {done.stderr.strip()}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def look(one: Case, say: Callable[[str], None]) -> Row:
    """Ask every tool about one dump, before and after."""
    tools = [tool for tool in PEERS if tool != "crash" or not _is_left_out(one)]
    with TemporaryDirectory(prefix="peers-") as folder:
        mended = repaired(one, Path(folder))
        right = guest.values(one, one.dump)
        before = {tool: ask(tool, one) for tool in tools}
        after = {tool: ask(tool, mended) for tool in tools}
    form = one.format + (", new file" if mended.dump.name != one.dump.name else "")
    row = Row(one.dump.stem, one.arch, form, right, before, after)
    say(f"{one.dump.name}: " + "; ".join(f"{tool} {row.cell(tool)}" for tool in tools))
    return row


def _is_left_out(one: Case) -> bool:
    return one.arch in EMULATED_CRASH and one.dump.name not in EMULATED_CRASH[one.arch]


def write_table(
    folder: Path, page: Path, say: Callable[[str], None], names: Sequence[str] = ()
) -> None:
    """Put the table and what tools say into the Markdown ``page``, behind its mark.

    ``names``: of guests; only their dumps are asked about, the page keeps the others. It is
    written after each dump.

    Raises:
        LabError: a dump can't be repaired, or does not hold what the guest said.
    """
    asked = [one for one in rows_asked(folder) if not names or one.dump.stem in names]
    whole = Page.read(page) if names else Page(Page.read(page).head)
    with ThreadPoolExecutor(_JOBS) as pool:
        running = [pool.submit(look, one, say) for one in asked]
        for done in as_completed(running):
            if done.exception() is None:
                whole.add(done.result().line, done.result().said())
                whole.write(page)
    for each in running:
        each.result()
