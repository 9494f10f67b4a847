# SPDX-License-Identifier: GPL-3.0-or-later
"""Repair in place: a few KB written into the dump itself, and back.

A kill at any moment leaves the old dump or the new one, and the journal: what lies behind
the old end is written first, where nothing looks at it yet, then all headers at once.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import RepairError
from . import journal
from .journal import Journal, Replaced
from .overlay import Patch
from .target import opened

_SAMPLE, _SAMPLES = 4096, 64  # bytes of one, and how many
#: Headers that lie within so many bytes are written by one call.
_AT_ONCE = 1 << 20


def write_patches(path: Path, patches: Sequence[Patch], planned: int) -> tuple[Path, int]:
    """Change the file at ``path``; returns its journal and how many bytes were written.

    ``planned`` is a descriptor of the file that the patches were made for.

    Raises:
        RepairError: the file must not be changed, has a journal already, or is another one.
        OSError: the system can't.
    """
    with opened(path) as fd:
        facts = os.fstat(fd)
        if not os.path.samestat(facts, os.fstat(planned)):
            raise RepairError(f"{path} has been replaced while it was looked at: not changed")
        place = journal.path_of(path)
        behind, inside = _sorted_out(patches, facts.st_size)
        parts = [*behind, *_joined(fd, inside)]
        new_size = max(facts.st_size, *(p.end for p in parts))
        made = Journal(
            size=facts.st_size,
            mtime_ns=facts.st_mtime_ns,
            new_size=new_size,
            new_mtime_ns=time.time_ns(),
            samples=_samples(fd, facts.st_size, [(p.offset, p.end) for p in parts]),
            replaced=tuple(
                Replaced(p.offset, os.pread(fd, len(p.data), p.offset), p.data) for p in parts
            ),
        )
        _check_room(fd, new_size - facts.st_size + 2 * sum(len(p.data) for p in parts))
        journal.write(place, made)
        try:
            _carry_out(fd, behind, parts[len(behind) :])
        except BaseException:
            _put_back(fd, made)
            _forget(place)
            raise
        _finish(fd, made.new_mtime_ns)
        journal.mark(place, "done")
        return place, sum(len(p.data) for p in parts)


def undo(path: Path) -> int:
    """Put the file back as its journal has it; returns how many bytes were written.

    Raises:
        NothingToUndo: there is no journal.
        RepairError: the dump is not the one that it was written for.
        UnreadableDump: the journal is not to be trusted.
    """
    place = journal.path_of(path)
    made, state = journal.read(place)
    with opened(path) as fd:
        _check_same(fd, path, made, state)
        journal.mark(place, "undoing")
        written = _put_back(fd, made)
        _forget(place)
        return written


def is_interrupted(path: Path) -> bool:
    """Whether a journal tells of a repair, or an undoing, that came to no end."""
    place = journal.path_of(path)
    return place.exists() and journal.read(place)[1] != "done"


def _sorted_out(patches: Sequence[Patch], end: int) -> tuple[list[Patch], list[Patch]]:
    """What is written behind the file's end, and what inside of it, last parts first.

    The new record of a flattened file is both: its start takes the place of the end mark.
    """
    behind, inside = [], []
    for patch in patches:
        room = max(end - patch.offset, 0)
        if room:
            inside.append(Patch(patch.offset, patch.data[:room]))
        if room < len(patch.data):
            behind.append(Patch(patch.offset + room, patch.data[room:]))
    return behind, sorted(inside, key=lambda p: -p.offset)


def _joined(fd: int, patches: Sequence[Patch]) -> Iterator[Patch]:
    """Patches near each other as one, with what is between them; from the file's end on."""
    run: list[Patch] = []
    for patch in patches:
        if run and run[0].end - patch.offset > _AT_ONCE:
            yield _one(fd, run)
            run = []
        run.append(patch)
    if run:
        yield _one(fd, run)


def _one(fd: int, run: Sequence[Patch]) -> Patch:
    start, end = min(p.offset for p in run), max(p.end for p in run)
    data = bytearray(os.pread(fd, end - start, start))
    for patch in run:
        data[patch.offset - start : patch.end - start] = patch.data
    return Patch(start, bytes(data))


def _carry_out(fd: int, behind: Sequence[Patch], inside: Sequence[Patch]) -> None:
    for patch in behind:
        _write(fd, patch.offset, patch.data)
    os.fsync(fd)
    for patch in inside:
        _write(fd, patch.offset, patch.data)
    os.fsync(fd)


def _finish(fd: int, mtime_ns: int) -> None:
    """The time of the change is one that the journal knows."""
    os.utime(fd, ns=(time.time_ns(), mtime_ns))
    os.fsync(fd)


def _put_back(fd: int, made: Journal) -> int:
    for part in reversed(made.replaced):
        if part.old:
            _write(fd, part.offset, part.old)
    os.fsync(fd)
    os.ftruncate(fd, made.size)
    _finish(fd, made.mtime_ns)
    return sum(len(part.old) for part in made.replaced)


def _forget(place: Path) -> None:
    place.unlink()
    journal.sync_folder(place.parent)


def _check_same(fd: int, path: Path, made: Journal, state: journal.State) -> None:
    """The dump is as the repair left it, or as an interrupted one may have."""
    facts = os.fstat(fd)
    untouched = state != "done" or facts.st_mtime_ns == made.new_mtime_ns
    sizes = (made.new_size,) if state == "done" else range(made.size, made.new_size + 1)
    if not untouched or facts.st_size not in sizes:
        raise RepairError(f"{path} has changed since it was repaired: not undone")
    ranges = [(part.offset, part.offset + len(part.new)) for part in made.replaced]
    if _samples(fd, made.size, ranges) != made.samples:
        raise RepairError(f"{path} is not the dump that its journal was written for: not undone")
    for part in made.replaced:
        now = os.pread(fd, len(part.new), part.offset)
        if now != part.new and (state == "done" or not _is_between(now, part)):
            raise RepairError(f"{path} has changed at {part.offset:#x}: not undone")


def _is_between(now: bytes, part: Replaced) -> bool:
    """Whether a repair or an undoing that was cut short can have left this.

    A machine that stops leaves each sector old or new by itself, and behind the old end
    perhaps zeros: a file may have become longer before what was written to it is there.
    """
    old = part.old.ljust(len(part.new), b"\0")
    return all(n in both for n, *both in zip(now, part.new, old, strict=False))


def _samples(fd: int, size: int, apart_from: Sequence[tuple[int, int]]) -> str:
    """A digest of parts of the file that lie before ``size`` and are in none of those ranges."""
    digest = hashlib.sha256()
    step = max((size - _SAMPLE) // (_SAMPLES - 1), _SAMPLE)
    for at in range(0, size - _SAMPLE + 1, step):
        if all(at + _SAMPLE <= start or end <= at for start, end in apart_from):
            digest.update(os.pread(fd, _SAMPLE, at))
    return digest.hexdigest()


def _check_room(fd: int, size: int) -> None:
    facts = os.fstatvfs(fd)
    free = facts.f_bavail * facts.f_frsize
    if free < size:
        raise RepairError(f"the disk has {free} bytes left, the repair takes up to {size}")


def _write(fd: int, offset: int, data: bytes) -> None:
    while data:
        done = os.pwrite(fd, data, offset)
        offset, data = offset + done, data[done:]
