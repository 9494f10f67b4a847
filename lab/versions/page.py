# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/versions.md, made of what is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from .kept import Kept, Tried, numbers, series

START = "<!-- made by python3 -m lab versions; do not edit -->\n"
#: What is to be covered; more is welcome.
WANTED = {
    "crash": ("8.0.2", "8.0.6", "9.0.2"),
    "Python": ("3.11", "3.12", "3.13", "3.14"),
    "QEMU": ("7.2", "10.0", "11.1"),
    "kernel": ("6.1", "6.12", "7.2"),
}


def write_page(kept: Kept, page: Path) -> None:
    """Put the tables into the Markdown ``page``, behind its mark."""
    head = page.read_text().partition(START)[0]
    page.write_text(head + START + "\n".join(_lines(kept)) + "\n")


def _lines(kept: Kept) -> Iterator[str]:
    tried = list(kept.tried.values())
    yield from ("", f"{len(tried)} combinations were tried, of these versions:", "")
    for name, versions in _versions(tried).items():
        yield f"- {name} {', '.join(versions)}"
    for crash in _sorted(each.crash for each in tried):
        yield from ("", f"## crash {crash}", "", *_table([t for t in tried if t.crash == crash]))
    yield from ("", "## What did not work, and what was not tried", "")
    yield from (f"- {text}" for text in [*_failures(tried), *_missing(tried), *kept.absent])


def _table(tried: list[Tried]) -> Iterator[str]:
    """A row for each QEMU and kernel, a column for each Python."""
    pythons = _sorted(series(each.python) for each in tried)
    yield "| QEMU | kernel | " + " | ".join(f"Python {python}" for python in pythons) + " |"
    yield "|---" * (2 + len(pythons)) + "|"
    found = {each.key[1:]: _cell(each) for each in tried}
    rows = {each.key[2:] for each in tried}
    for qemu, kernel in sorted(rows, key=lambda row: [numbers(version) for version in row]):
        cells = [found.get((python, qemu, kernel), "") for python in pythons]
        yield f"| {qemu} | {kernel} | " + " | ".join(cells) + " |"


def _cell(each: Tried) -> str:
    """The way, with a mark where it worked and something is to be said all the same."""
    return each.way + ("*" if each.why and each.worked else "")


def _versions(tried: list[Tried]) -> dict[str, list[str]]:
    return {
        "crash": _sorted(each.crash for each in tried),
        "Python": _sorted(each.python for each in tried),
        "QEMU": _sorted(each.qemu for each in tried),
        "kernel": sorted({each.kernel for each in tried}, key=lambda k: numbers(k.split("-")[0])),
    }


def _failures(tried: list[Tried]) -> Iterator[str]:
    """Each reason once, with where it was met."""
    met: dict[tuple[str, str, str, str], list[str]] = {}
    for each in tried:
        if each.why:
            reason = (each.crash, series(each.kernel), each.way, each.why)
            met.setdefault(reason, []).append(series(each.qemu))
    for (crash, kernel, way, why), qemus in sorted(met.items()):
        on = ", ".join(_sorted(qemus))
        yield f"crash {crash}, kernel {kernel} (QEMU {on}): {way}: {why}"


def _missing(tried: list[Tried]) -> Iterator[str]:
    """What is to be covered and was not."""
    had = {name: {*versions, *map(series, versions)} for name, versions in _versions(tried).items()}
    for name, versions in WANTED.items():
        yield from (f"{name} {v}: not tried" for v in versions if v not in had[name])


def _sorted(versions: Iterable[str]) -> list[str]:
    return sorted(set(versions), key=numbers)
