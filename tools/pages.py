# SPDX-License-Identifier: GPL-3.0-or-later
"""Count what a search reads: ``python -m tools.pages`` writes docs/search.md.

The pages of memory that ``qemufix physbase`` reads for its answer, of each of the lab's guests
whose kernel is found: the fewest and the most by architecture, and by what there is to go by.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import crashext
from crashext.locate import locate
from lab.guests import DUMPS
from lab.states import truths, vmlinux_of
from lab.target import TARGETS

DOCUMENT = Path("docs/search.md")
START, END = "<!-- pages: by tools/pages.py -->", "<!-- end -->"
#: Whether the vmlinux and the vCPUs' state are used, a column each.
COLUMNS = ((True, True), (True, False), (False, True), (False, False))
HEAD = "| | vmlinux and CPU state | vmlinux alone | CPU state alone | neither |"


def pages(dump: Path, vmlinux: str | None, use_cpu_state: bool) -> int | None:
    """How many pages the answer takes; None without one."""
    with crashext.open_dump(str(dump)) as opened:
        answer: dict[str, Any] = locate(
            opened, vmlinux=vmlinux, use_cpu_state=use_cpu_state
        ).to_json()
    return int(answer["stats"]["pages_read"]) if answer["found"] else None


def table() -> str:
    """The table, a row for each architecture."""
    read: dict[tuple[str, int], list[int]] = defaultdict(list)
    for dump, truth in truths(DUMPS):
        for column, (wants_vmlinux, use_cpu_state) in enumerate(COLUMNS):
            vmlinux = vmlinux_of(dump, truth) if wants_vmlinux else None
            if truth["found"] and (vmlinux or not wants_vmlinux):
                count = pages(dump, vmlinux, use_cpu_state)
                read[truth["arch"], column] += [] if count is None else [count]
    rows = [HEAD, "|---|---|---|---|---|"]
    for arch in TARGETS:
        counts = [read[arch, column] for column in range(len(COLUMNS))]
        cells = [f"{min(c)}-{max(c)}" if c else "no answer" for c in counts]
        rows.append(f"| {arch} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    """Replace the table of the document."""
    text = DOCUMENT.read_text()
    head, rest = text.split(START, 1)
    DOCUMENT.write_text(f"{head}{START}\n\n{table()}\n\n{END}{rest.split(END, 1)[1]}")


if __name__ == "__main__":
    main()
