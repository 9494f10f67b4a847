# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what a compressed dump costs: ``python -m tools.compressed`` writes docs/formats.md.

The same guest as a plain ELF, as compressed ELFs and as kdumps: size of the file, time until
``qemufix physbase`` answers (for the first time, and again), time to read all memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

GUEST = Path("lab/dumps/ovmf-kaslr.elf")
DOCUMENT = Path("docs/formats.md")
COMMANDS = (
    ("ELF", "", GUEST),
    ("ELF.gz", "gzip -c", GUEST),
    ("ELF.bz2", "bzip2 -c", GUEST),
    ("ELF.xz, one block", "xz -T1 -c", GUEST),
    ("ELF.xz, blocks of 24 MiB", "xz -T2 -c", GUEST),
    ("ELF.xz, blocks of 1 MiB", "xz -T2 --block-size=1MiB -c", GUEST),
    ("ELF.zst, one frame", "zstd -q -c", GUEST),
    ("kdump, zlib", "", GUEST.with_suffix(".kdump")),
    ("kdump flattened, zlib", "", GUEST.with_suffix(".flat")),
)
READ_ALL = """
import sys
from crashext import open_dump
with open_dump(sys.argv[1]) as dump:
    for start, end in dump.ram:
        for paddr in range(start, end, 1 << 20):
            dump.read(paddr, min(1 << 20, end - paddr))
"""


def rows() -> Iterator[str]:
    """One row for each way."""
    vmlinux = GUEST.parent / json.loads(GUEST.with_suffix(".json").read_text())["vmlinux"]
    yield "| dump | made by | MB | first answer, s | again, s | all memory, s |"
    yield "|---|---|---|---|---|---|"
    for name, command, source in COMMANDS:
        with tempfile.TemporaryDirectory() as folder:
            path, made = source, "QEMU"
            if command:
                path, made = Path(folder) / "dump", f"`{command.removesuffix(' -c')}`"
                with path.open("wb") as output:
                    subprocess.run([*command.split(), str(source)], stdout=output, check=True)
            answer = [
                sys.executable,
                "-m",
                "crashext",
                "physbase",
                str(path),
                "--vmlinux",
                str(vmlinux),
            ]
            everything = [sys.executable, "-c", READ_ALL, str(path)]
            environment = {**os.environ, "XDG_CACHE_HOME": folder}
            times = [_seconds(c, environment) for c in (answer, answer, everything)]
            row = (name, made, f"{path.stat().st_size / 1e6:.0f}", *(f"{t:.2f}" for t in times))
            print(*row, sep=" | ", flush=True)
            yield f"| {' | '.join(row)} |"


def _seconds(command: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def main() -> None:
    """Replace the table of the document."""
    table = "\n".join(rows())
    text = DOCUMENT.read_text()
    mark, end = "<!-- compressed: by tools/compressed.py -->", "<!-- end -->"
    start = text.index(mark) + len(mark)
    stop = text.index(end, start)
    DOCUMENT.write_text(f"{text[:start]}\n\n{table}\n\n{text[stop:]}")


if __name__ == "__main__":
    main()
