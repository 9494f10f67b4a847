# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m fuzz.truth``: damaged memory must never make a false answer that is believed.

Pages of a dump whose truth is known are mutated in memory: lost, zeroed, filled with
noise, with one bit flipped, overwritten by another page. The kernel is then searched with
and without vmlinux, with and without CPU state. An answer that is "certain" or "strong"
and says of any address something else than the guest said of itself is a failure; no
answer is none.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from crashext import open_dump
from crashext.dumps.base import Dump
from crashext.locate import Location, locate
from lab.altered import PAGE, Altered

FIELDS = ("phys_base", "kaslr_offset", "text_vaddr", "text_paddr")
BELIEVED = ("certain", "strong")
ROOT = Path(__file__).parent.parent
FOLDERS = {"samples": ROOT / "sample_dumps", "dumps": ROOT / "lab" / "dumps"}


@dataclass(frozen=True)
class Case:
    """One dump with its truth, asked in one way."""

    dump: Path
    truth: dict[str, Any]
    given: bool
    use_cpu_state: bool

    def ask(self, dump: Dump, *, everything: bool = False) -> Location:
        """Search ``dump``, which stands for the case's own; ``everything`` as for locate."""
        name = self.truth.get("vmlinux") or next(iter(self.truth["vmlinuxes"]), None)
        vmlinux = str(self.dump.parent / name) if self.given and name else None
        cpu = self.use_cpu_state
        return locate(dump, vmlinux=vmlinux, use_cpu_state=cpu, everything=everything)

    def __str__(self) -> str:
        words = [self.dump.name, "vmlinux" if self.given else "alone"]
        return " ".join([*words, "" if self.use_cpu_state else "no CPU state"]).strip()


def cases(folder: Path, names: Sequence[str] = ()) -> list[Case]:
    """Each dump of ``folder`` with its truth beside it, in each way of asking."""
    return [
        Case(folder / name, truth, given, cpu)
        for path in sorted(folder.glob("*.json"))
        for truth in [json.loads(path.read_text())]
        if not names or truth["scenario"] in names
        for name in truth.get("dumps", [])
        if (folder / name).exists()
        for given in (True, False)
        for cpu in (True, False)
    ]


def falsehood(case: Case, answer: Location) -> str | None:
    """What is false in an answer that asks to be believed, None where nothing is.

    Without vCPU state a kernel of before a reset is as good an answer as any, where the
    guest has not started another.
    """
    if not answer.found or answer.confidence not in BELIEVED:
        return None
    said = answer.to_json()
    truths = [case.truth] if case.truth["found"] else []
    if not case.use_cpu_state and not case.truth["found"]:
        truths += case.truth["kernels"]
    for truth in truths:
        if all(said[name] in (None, truth[name]) for name in FIELDS):
            return None
    wrong = ", ".join(f"{name} {said[name]}" for name in FIELDS)
    return f"{answer.confidence}: {wrong}"


def mutate(chance: Random, page: bytes, other: bytes) -> bytes | None:
    """The page after an accident."""
    kind = chance.randrange(6)
    if kind == 0:
        return None
    if kind == 1:
        return bytes(PAGE)
    if kind == 2:
        return chance.randbytes(PAGE)
    if kind == 3:
        return other
    changed = bytearray(page)
    if kind == 4:
        changed[chance.randrange(PAGE)] ^= 1 << chance.randrange(8)
    else:
        at = chance.randrange(PAGE // 8) * 8
        changed[at : at + 8] = chance.choice((bytes(8), b"\xff" * 8, chance.randbytes(8)))
    return bytes(changed)


@dataclass
class Report:
    """What came of many cases."""

    count: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def run(chosen: Sequence[Case], count: int, seed: int) -> Report:
    """Ask ``count`` times, each time after one to three pages were mutated."""
    chance = Random(seed)
    report = Report()
    for case in chosen:
        with open_dump(str(case.dump)) as dump:
            altered = Altered(dump)
            case.ask(altered)
            places = sorted(p for p in altered.touched if altered.page(p) is not None)
            if not places:
                continue
            for _ in range(-(-count // len(chosen))):
                altered.altered = {}
                altered.altered = _accident(chance, altered, places)
                answer = case.ask(altered)
                report.count += 1
                report.answers[answer.confidence if answer.found else "no answer"] += 1
                false = falsehood(case, answer)
                if false is not None:
                    pages = ", ".join(f"{p:#x}" for p in altered.altered)
                    report.failures.append(f"{case}: pages {pages} altered: {false}")
    return report


def _accident(chance: Random, dump: Altered, places: list[int]) -> dict[int, bytes | None]:
    """One to three pages, mutated."""
    chosen = chance.sample(places, min(chance.choice((1, 1, 1, 2, 3)), len(places)))
    other = dump.page(chance.choice(places)) or bytes(PAGE)
    return {place: mutate(chance, dump.page(place) or bytes(PAGE), other) for place in chosen}


def main() -> int:
    """Fuzz samples or whole dumps; the exit status says whether all answers were honest."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.truth", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="SCENARIO")
    parser.add_argument("--folder", choices=FOLDERS, default="samples")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.monotonic()
    report = run(cases(FOLDERS[options.folder], options.names), options.count, options.seed)
    for failure in report.failures:
        print(failure)
    answers = ", ".join(f"{name} {number}" for name, number in sorted(report.answers.items()))
    seconds = time.monotonic() - start
    print(f"{report.count} cases in {seconds:.0f} s: {answers}; false: {len(report.failures)}")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
