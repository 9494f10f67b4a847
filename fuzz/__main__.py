# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m fuzz``: feed damaged dumps to the readers.

Random mutations of small valid files; ``python -m fuzz.guided`` lets atheris guide them.
A finding is anything but an error of ours: another exception, more than a second of CPU
for each MB of file (two at least), or more memory than a few pages. It is written to a
file, which is named; make it a test.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Literal

from crashext import CrashExtError, open_dump

from .seeds import SEEDS

MOST_MEMORY = 16 << 20
LEAST_SECONDS = 2.0
PAGES = 64
_ORDERS: tuple[Literal["little", "big"], ...] = ("little", "big")


class Slow(Exception):
    """It took too long."""


class Greedy(Exception):
    """It took too much memory."""


def use(path: Path) -> None:
    """Do with a file what a reader does; errors of ours are right."""
    try:
        with open_dump(path) as dump:
            for ram in dump.ram[:PAGES]:
                _read(dump.read, ram.start)
                _read(dump.read, ram.end - 1)
            for _ in islice(dump.page_heads(32), PAGES):
                pass
            for _ in islice(dump.pages_with([(0, b"OSRELEASE=")]), PAGES):
                pass
    except CrashExtError:
        pass


def _read(read: Callable[[int, int], bytes], paddr: int) -> None:
    with suppress(CrashExtError):
        read(paddr, 4097)


def check(data: bytes, path: Path, *, memory: bool) -> None:
    """Use a file of these bytes, and watch what it costs.

    Raises:
        Slow, Greedy: too much.
    """
    path.write_bytes(data)
    if memory:
        tracemalloc.start()
    started = time.process_time()
    try:
        use(path)
        seconds = time.process_time() - started
        peak = tracemalloc.get_traced_memory()[1] if memory else 0
    finally:
        tracemalloc.stop()
    if seconds > max(LEAST_SECONDS, len(data) / 1e6):
        raise Slow(f"{seconds:.1f} s for {len(data)} bytes")
    if peak > MOST_MEMORY:
        raise Greedy(f"{peak >> 20} MiB for a file of {len(data)} bytes")


def mutated(chance: random.Random, seeds: tuple[bytes, ...]) -> bytes:
    """A valid file with a few bytes or numbers changed, perhaps cut off."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 6)):
        near = chance.choice((len(data), min(len(data), 700)))
        at, width = chance.randrange(near), chance.choice((1, 1, 2, 4, 8))
        value = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        number = bytes([value]) if width == 1 else chance.choice(_numbers(width))
        data[at : at + width] = number
    if chance.random() < 0.1:
        del data[chance.randrange(len(data)) :]
    return bytes(data)


def _numbers(width: int) -> list[bytes]:
    values = [0, 1, 0xFFF, 1 << 8 * width - 1, (1 << 8 * width) - 1, 1 << 4 * width]
    return [v.to_bytes(width, order) for v in values for order in _ORDERS]


def run_random(name: str, seconds: float, seed: int) -> int:
    """Fuzz one format for a while; returns how many files were used."""
    chance = random.Random(seed)
    end = time.monotonic() + seconds
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dump"
        while time.monotonic() < end:
            data = mutated(chance, SEEDS[name])
            try:
                check(data, path, memory=count % 8 == 0)
            except Exception as error:
                found = Path(f"finding-{name}-{hashlib.sha256(data).hexdigest()[:12]}")
                found.write_bytes(data)
                print(f"{name}: {type(error).__name__}: {error}; kept in {found}")
                raise
            count += 1
    return count


def main() -> int:
    """Fuzz the formats that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help=", ".join(SEEDS))
    parser.add_argument("--seconds", type=float, default=10, help="for each format")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if unknown := set(options.formats) - set(SEEDS):
        parser.error(f"no such format: {', '.join(sorted(unknown))}")
    for name in options.formats or SEEDS:
        count = run_random(name, options.seconds, options.seed)
        print(f"{name}: {count} files, nothing found", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
