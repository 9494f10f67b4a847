# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet's dumps in an object store, and a run of ``qemufix triage`` over them: ``make fleet``.

The dumps are the samples and what the lab has, whole, cut off, damaged and hostile; of most there
are copies. While the run goes on one of its workers is killed. Each row has to be there once,
and to say what looking at that file alone says.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from crashext.triage.row import PASSING, Row
from crashext.triage.work import row_of

from .errors import LabError
from .object_store import ObjectStore, object_store

ROOT = Path(__file__).parents[1]
SAMPLES, DUMPS = ROOT / "sample_dumps", Path(__file__).parent / "dumps"
_SUFFIXES = (".elf", ".flat", ".kdump", ".zst")
_LARGEST = 64 << 20  # bytes of a dump of the lab's that is put into the store
_OF_THE_PLACE = ("url", "identity", "bytes_read", "requests", "seconds")
_AT_ONCE = 8  # requests to the store while it is filled
Say = Callable[[str], None]


class Outcome(NamedTuple):
    """What a run printed: rows, its summary and exit status; and how many workers were killed."""

    rows: list[Row]
    said: str
    status: int
    killed: int


def samples() -> list[Path]:
    """The small dumps that come with the sources, of every architecture and state."""
    return sorted(path for path in SAMPLES.iterdir() if path.suffix in _SUFFIXES)


def lab_dumps() -> list[Path]:
    """Whole dumps of the lab's guests that there are, the large ones left out."""
    found = sorted(path for path in DUMPS.glob("*.*") if path.suffix in _SUFFIXES)
    return [path for path in found if path.stat().st_size <= _LARGEST]


def make(folder: Path, whole: Iterable[Path], spoilt: Iterable[Path], seed: int) -> None:
    """Fill ``folder`` with the originals: ``whole`` as they are, ``spoilt`` in several ways too."""
    chance = random.Random(seed)
    for path in whole:
        (folder / f"{path.parent.name}-{path.name}").symlink_to(path.resolve())
    for path in spoilt:
        data = path.read_bytes()
        for part in (0.3, 0.9):
            (folder / f"cut-{part}-{path.name}").write_bytes(data[: int(len(data) * part)])
        for most in (4096, len(data)):  # headers, anything
            bad = bytearray(data)
            for _ in range(20):
                bad[chance.randrange(min(most, len(bad)))] = chance.randrange(256)
            (folder / f"damaged-{most == 4096:d}-{path.name}").write_bytes(bad)
    for name, data in _hostile(chance):
        (folder / f"hostile-{name}").write_bytes(data)


def _hostile(chance: random.Random) -> Iterator[tuple[str, bytes]]:
    for name, head in (
        ("elf", b"\x7fELF\2\1\1"),
        ("kdump", b"KDUMP   "),
        ("flat", b"makedumpfile"),
        ("diskdump", b"DISKDUMP"),
        ("zst", b"\x28\xb5\x2f\xfd"),
        ("gz", b"\x1f\x8b\x08"),
        ("nothing", b""),
    ):
        yield f"ff.{name}", head + b"\xff" * 9000
        yield f"zero.{name}", head + bytes(9000)
        yield f"random.{name}", head + chance.randbytes(300_000)


def fill(bucket: str, originals: Path, copies: int) -> dict[str, str]:
    """Put the originals into the store; copies of the small ones are made there.

    Returns each object's URL, with the name of its original.
    """
    import s3fs

    fs = s3fs.S3FileSystem()
    fs.mkdir(bucket)
    names = sorted(path.name for path in originals.iterdir())
    small = [name for name in names if (originals / name).stat().st_size < 1 << 20]
    put = {f"{bucket}/0/{name}": name for name in names}
    copied = {f"{bucket}/{number + 1}/{name}": name for number in range(copies) for name in small}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(fs.put_file, (str(originals / name) for name in names), put))
        list(pool.map(fs.copy, (f"{bucket}/0/{name}" for name in copied.values()), copied))
    return {f"s3://{path}": name for path, name in (put | copied).items()}


def triage(store: ObjectStore, words: list[str], kill_after: int | None = None) -> Outcome:
    """Run the command; after so many rows one of its workers is killed."""
    going = subprocess.Popen(
        [sys.executable, "-m", "crashext", "triage", "--json", *words], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment(store),
    )  # fmt: skip
    assert going.stdout is not None and going.stderr is not None
    rows: list[Row] = []
    killed = 0
    for line in going.stdout:
        rows.append(Row.of(json.loads(line)))
        if len(rows) == kill_after:
            killed += 1
            os.kill(workers_of(going.pid)[0], signal.SIGKILL)
    said = going.stderr.read()
    return Outcome(rows, said, going.wait(), killed)


def _environment(store: ObjectStore) -> Mapping[str, str]:
    return {**os.environ, **store.environment, "PYTHONPATH": str(ROOT)}


def workers_of(pid: int) -> list[int]:
    """The processes that a run of Dask's on this machine has started (proc_pid_children(5))."""
    found = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            command = Path(f"/proc/{child}/cmdline").read_bytes()
            if b"spawn_main" in command:
                found.append(child)
    if not found:
        raise LabError(f"process {pid} has no workers")
    return found


def facts(row: Row) -> dict[str, Any]:
    """What a row says of a dump, wherever it lies."""
    return {name: v for name, v in row._asdict().items() if name not in _OF_THE_PLACE}


def known(outcome: Outcome) -> int:
    """How many dumps a second run would not look at."""
    return sum(row.failure not in PASSING for row in outcome.rows)


def compare(outcome: Outcome, put: Mapping[str, str], alone: Mapping[str, Row]) -> list[str]:
    """What is wrong with a run, a line each."""
    times = Counter(row.url for row in outcome.rows)
    wrong = [f"{url}: no row" for url in put if not times[url]]
    wrong += [f"{url}: {count} rows" for url, count in times.items() if count > 1]
    for row in outcome.rows:
        right = facts(alone[put[row.url]])
        wrong += [
            f"{row.url}: {name} is {value!r}, alone {right[name]!r}"
            for name, value in facts(row).items()
            if value != right[name]
        ]
    return wrong


def main(say: Say) -> int:
    """The large fleet; returns the exit status."""
    with TemporaryDirectory(prefix="fleet-") as place:
        folder = Path(place)
        originals = folder / "originals"
        originals.mkdir()
        make(originals, [*samples(), *lab_dumps()], samples(), 16)
        alone = {path.name: row_of(str(path)) for path in originals.iterdir()}
        say(f"{len(alone)} files, each looked at alone: {_counted(alone.values())}")
        (folder / "store").mkdir()
        with object_store(folder / "store") as store:
            store.be_known()
            put = fill("fleet", originals, 3)
            say(f"{len(put)} objects in {store.endpoint}")
            return _runs(store, put, alone, str(folder / "rows.sqlite"), say)


def _runs(
    store: ObjectStore, put: Mapping[str, str], alone: Mapping[str, Row], kept: str, say: Say
) -> int:
    words = ["s3://fleet/", "--store", kept, "-j", "3"]
    start = time.monotonic()
    outcome = triage(store, words, kill_after=len(put) // 2)
    say(f"{len(outcome.rows)} rows in {time.monotonic() - start:.0f} s, {outcome.killed} of 3 "
        f"workers killed on the way: {_counted(outcome.rows)}")  # fmt: skip
    say(outcome.said.rstrip())
    wrong = compare(outcome, put, alone)
    again = triage(store, words)
    if f"{known(outcome)} of them known" not in again.said:
        wrong.append(f"the second run: {again.said}")
    say("\n".join(wrong[:20]) or "each object has one row, and the same as alone")
    return 1 if wrong else 0


def _counted(rows: Iterable[Row]) -> str:
    found = Counter(row.verdict for row in rows)
    return ", ".join(f"{count} {verdict}" for verdict, count in found.most_common())


if __name__ == "__main__":
    sys.exit(main(lambda line: print(line, flush=True)))
