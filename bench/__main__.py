# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m bench``: the speed figures that the project promises, measured here and now."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from . import convert, fleet, reader, rebuild, repair
from .measure import QEMUFIX, Figure, best, crash_script, environment, run

DUMPS = Path("lab/dumps")
GUEST = "ovmf-kaslr"
#: Prints the time through crash's shell escape, before and after what is measured.
STAMP = "!date +stamp=%s.%N"


def truth(guest: str) -> dict[str, str]:
    """What the guest said of itself."""
    facts: dict[str, str] = json.loads((DUMPS / f"{guest}.json").read_text())
    return facts


def physbase(guest: str = GUEST, *more: str, suffix: str = "kdump") -> list[str]:
    """The command line that finds the kernel of a guest's dump."""
    return [*QEMUFIX, "physbase", str(DUMPS / f"{guest}.{suffix}"), *more]


def with_vmlinux(guest: str = GUEST, *more: str) -> list[str]:
    """The same with the guest's full debug vmlinux."""
    return physbase(guest, "--vmlinux", str(DUMPS / truth(guest)["vmlinux"]), *more)


def pages_read() -> Iterator[Figure]:
    """Guest pages that the answer needs."""
    for guest in (GUEST, *big_guests()):
        done = subprocess.run(
            with_vmlinux(guest, "--json"), capture_output=True, check=True, text=True
        )
        pages = json.loads(done.stdout)["stats"]["pages_read"]
        yield Figure("pages read", f"{guest}, with CPU state and vmlinux", pages, 64)


def against_crash() -> Iterator[Figure]:
    """The whole process, symbols of the full vmlinux included, against crash's own start."""
    with tempfile.TemporaryDirectory() as folder:
        script = crash_script(Path(folder))
        ours, crashs = best(with_vmlinux()), best(crash_command("-s", "-i", str(script)), 3)
    detail = f"physbase {ours}, crash comes up in {crashs}"
    yield Figure("time against crash's", detail, ours.wall / crashs.wall, 0.1)


def crash_command(*options: str) -> list[str]:
    """crash on the guest's dump, started right."""
    facts = truth(GUEST)
    right = ["--kaslr", facts["kaslr_offset"], "--machdep", f"phys_base={facts['phys_base']}"]
    return ["crash", *right, *options, str(DUMPS / facts["vmlinux"]), str(DUMPS / f"{GUEST}.kdump")]


def inside_crash() -> Iterator[Figure]:
    """Loading the plugin and running detect, between two time stamps."""
    commands = (STAMP, STAMP, "extend ./qemufix.so", "qemufix detect", STAMP)
    with tempfile.TemporaryDirectory() as folder:
        script = crash_script(Path(folder), *commands)
        seconds = min(
            _stamped(crash_command("--minimal", "-s", "-i", str(script))) for _ in range(5)
        )
    yield Figure("seconds inside crash", "extend qemufix.so and qemufix detect", seconds, 0.15)


def _stamped(command: list[str]) -> float:
    """Time between the last two stamps, less what stamping itself takes."""
    done = subprocess.run(
        command, capture_output=True, check=True, text=True, stdin=subprocess.DEVNULL,
        env=environment(),
    )  # fmt: skip
    if "written by QEMU" not in done.stdout:
        sys.exit(f"bench: qemufix detect did not answer inside crash:\n{done.stdout}{done.stderr}")
    first, second, last = map(float, re.findall(r"stamp=([\d.]+)", done.stdout))
    return (last - second) - (second - first)


def what_happened() -> Iterator[Figure]:
    """The log and the report of a guest, whole processes."""
    for guest in (GUEST, *big_guests()):
        for command, limit in (("dmesg", 0.4), ("report", 1.0)):
            took = best([*QEMUFIX, command, str(DUMPS / f"{guest}.kdump")])
            yield Figure(f"seconds of {command}", f"{guest} {took}", took.wall, limit)


def growth() -> Iterator[Figure]:
    """A large guest's dump against a small one's."""
    small = best(with_vmlinux())
    for guest in big_guests():
        large = best(with_vmlinux(guest))
        detail = f"{guest} {large}, 512 MiB {small}"
        yield Figure("time against a small guest's", detail, large.wall / small.wall, 1.5)


def big_guests() -> list[str]:
    """The guests of much RAM whose dumps are there."""
    return [name for name in ("ram-16g", "ram-64g") if (DUMPS / f"{name}.json").exists()]


def full_search() -> Iterator[Figure]:
    """All of RAM is searched for VMCOREINFO, as without CPU state and vmlinux."""
    for guest in (GUEST, *big_guests()):
        ours, naive = seconds("ours", f"{guest}.kdump"), seconds("naive", f"{guest}.kdump")
        detail = f"{guest} {ours:.3f} s, inflating every page {naive:.3f} s"
        yield Figure("full search of a kdump, times faster", detail, naive / ours, 5, True)
    # Through a pipe: with its output in /dev/null GNU grep stops at the first match.
    grep = best(["grep", "-c", "-a", "OSRELEASE=", str(DUMPS / f"{GUEST}.elf")], 3, piped=True)
    elf = seconds("ours", f"{GUEST}.elf")
    detail = f"{elf:.3f} s, grep {grep}"
    yield Figure("full search of an ELF, times faster", detail, grep.wall / elf, 5, True)


def header_search() -> Iterator[Figure]:
    """All of RAM is searched for image headers: a small read in each block of 64 KiB."""
    for guest in ("arm64-newer", "arm64-16g"):
        ours, naive = seconds("headers", f"{guest}.kdump"), seconds("naive", f"{guest}.kdump")
        detail = f"{guest} {ours:.3f} s, inflating every page {naive:.3f} s"
        yield Figure("search of a kdump for image headers, times faster", detail, naive / ours, 5,
                     True)  # fmt: skip


def seconds(job: str, dump: str) -> float:
    """The best of three runs of a job of bench.search."""
    command = [sys.executable, "-m", "bench.search", job, str(DUMPS / dump)]
    runs = [subprocess.run(command, capture_output=True, check=True, text=True) for _ in range(3)]
    return min(float(done.stdout) for done in runs)


def memory() -> Iterator[Figure]:
    """The largest peak of all ways to search."""
    guests = (GUEST, *big_guests())
    commands = [with_vmlinux(guest) for guest in guests]
    commands += [physbase(guest, "--no-cpu-state", "--all") for guest in guests]
    peak = max(run(command).rss for command in commands) / 1e6
    yield Figure("peak memory in MB", f"{len(commands)} searches", peak, 150)


MEASURES: tuple[Callable[[], Iterator[Figure]], ...] = (
    pages_read,
    against_crash,
    inside_crash,
    what_happened,
    growth,
    full_search,
    header_search,
    memory,
    reader.reading,
    reader.flattened,
    repair.repair_in_place,
    repair.repair_new_file,
    convert.converting,
    convert.copies,
    convert.written_memory,
    rebuild.made_vmlinux,
    rebuild.from_nothing,
    fleet.triage_overhead,
    fleet.triage_scaling,
    fleet.triage_reads,
    fleet.triage_driver,
)


def main() -> int:
    """Print the figures; the exit status says whether all promises are kept."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = [measure.__name__ for measure in MEASURES]
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=", ".join(names))
    wanted = parser.parse_args().measures or names
    if unknown := set(wanted) - set(names):
        parser.error(f"no such measure: {', '.join(sorted(unknown))}")
    missed = 0
    for measure in MEASURES:
        if measure.__name__ in wanted:
            for figure in measure():
                print(figure, flush=True)
                missed += not figure.kept
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
