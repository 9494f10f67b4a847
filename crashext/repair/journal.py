# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a repair in place: what was replaced, so that it can be put back bit for bit.

``NAME.qemufix-undo`` lies beside the dump. Its first line is JSON, its second the SHA-256 of
the first; each line after them says how far the work has come. It is written and synced
before the dump is touched.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from .. import __version__
from ..errors import RepairError, UnreadableDump

SUFFIX = ".qemufix-undo"
_SCHEMA = 1
_MOST = 256 << 20  # bytes of a journal that are read

State = Literal["begun", "done", "undoing"]


class NothingToUndo(RepairError):
    """There is no journal."""


class Replaced(NamedTuple):
    """One part of the dump: what stood there, shorter where the file ended, and what stands now."""

    offset: int
    old: bytes
    new: bytes


@dataclass(frozen=True)
class Journal:
    """What it takes to undo a repair.

    Attributes:
        size, mtime_ns: of the dump before.
        new_size, new_mtime_ns: afterwards.
        samples: digest of parts of the dump that the repair leaves alone.
        replaced: the parts that it does not.
    """

    size: int
    mtime_ns: int
    new_size: int
    new_mtime_ns: int
    samples: str
    replaced: tuple[Replaced, ...]


def path_of(dump: Path) -> Path:
    """Where the journal of ``dump`` lies."""
    return dump.with_name(dump.name + SUFFIX)


def write(path: Path, journal: Journal) -> None:
    """Write the journal and sync it, whole or not at all.

    Raises:
        RepairError: there is one already.
        OSError: it can't be written.
    """
    text = json.dumps(_to_json(journal))
    content = f"{text}\n{hashlib.sha256(text.encode()).hexdigest()}\n".encode()
    if os.path.lexists(path):
        raise RepairError(f"{path} is there already: undo that repair first (--undo)")
    new = path.with_name(path.name + ".new")
    with suppress(FileNotFoundError):
        new.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(new, flags, 0o600)
    try:
        try:
            _write_all(fd, content)
            os.fsync(fd)
        finally:
            os.close(fd)
        new.rename(path)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise
    sync_folder(path.parent)


def mark(path: Path, state: State) -> None:
    """Note how far the work has come, and sync it."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _write_all(fd, f"{state}\n".encode())
        os.fsync(fd)
    finally:
        os.close(fd)


def read(path: Path) -> tuple[Journal, State]:
    """The journal at ``path``, and how far the work came.

    Raises:
        NothingToUndo: there is none.
        UnreadableDump: it is a link, somebody else's, damaged or of another version.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NothingToUndo(f"{path} is not there: nothing to undo") from None
    except OSError as error:
        raise _refused(path, f"can't open: {error.strerror}") from None
    with os.fdopen(fd, "rb") as file:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:
            raise _refused(path, "no plain file of one name")
        if facts.st_uid not in (os.geteuid(), 0) or facts.st_mode & 0o22:
            raise _refused(path, "others than its owner can have written it")
        content = file.read(_MOST + 1)
    lines = content.split(b"\n")
    if len(content) > _MOST or len(lines) < 3 or _digest(lines[0]) != lines[1]:
        raise _refused(path, "it is damaged")
    states = [line.decode("ascii", "replace") for line in lines[2:-1]]
    last: State = "undoing" if "undoing" in states else "done" if "done" in states else "begun"
    return _from_json(path, lines[0]), last


def sync_folder(folder: Path) -> None:
    """Sync a folder's entries."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _to_json(journal: Journal) -> dict[str, Any]:
    parts = [
        {
            "offset": part.offset,
            "old": base64.b64encode(part.old).decode("ascii"),
            "new": base64.b64encode(part.new).decode("ascii"),
        }
        for part in journal.replaced
    ]
    numbers = {name: getattr(journal, name) for name in _NUMBERS}
    head = {"schema": _SCHEMA, "program": f"qemufix {__version__}"}
    return {**head, **numbers, "samples": journal.samples, "replaced": parts}


_NUMBERS = ("size", "mtime_ns", "new_size", "new_mtime_ns")


def _from_json(path: Path, line: bytes) -> Journal:
    try:
        data = json.loads(line)
        if data["schema"] != _SCHEMA:
            raise _refused(path, f"its schema is {data['schema']}, known is {_SCHEMA}")
        parts = [
            Replaced(
                part["offset"],
                base64.b64decode(part["old"], validate=True),
                base64.b64decode(part["new"], validate=True),
            )
            for part in data["replaced"]
        ]
        journal = Journal(
            **{name: data[name] for name in _NUMBERS},
            samples=data["samples"],
            replaced=tuple(parts),
        )
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise _refused(path, "it is damaged") from None
    if not _is_sane(journal):
        raise _refused(path, "its numbers contradict each other")
    return journal


def _is_sane(journal: Journal) -> bool:
    numbers: Sequence[Any] = [getattr(journal, name) for name in _NUMBERS]
    return all(type(n) is int and 0 <= n < 1 << 63 for n in numbers) and all(
        type(part.offset) is int
        and 0 <= part.offset <= journal.new_size - len(part.new)
        and len(part.old) == max(min(len(part.new), journal.size - part.offset), 0)
        for part in journal.replaced
    )


def _digest(line: bytes) -> bytes:
    return hashlib.sha256(line).hexdigest().encode()


def _refused(path: Path, why: str) -> UnreadableDump:
    return UnreadableDump(f"this journal is not applied: {why}", path=str(path))


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
