# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix cache``: what was unpacked and made, and cleaning it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ..text import printable, size_text
from .options import in_json

if TYPE_CHECKING:
    from ..dumps.storage.contents import File
    from .job import Job

_DAY = 86400
_SHORTEST = 4  # characters of a name that may stand for it


class Answer(NamedTuple):
    """What is printed as JSON."""

    fields: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The fields, as docs/json.md has them."""
        return {"schema": 1, **self.fields}


@click.group(invoke_without_command=True)
@in_json
@click.pass_context
def cache(ctx: click.Context, as_json: bool) -> int:
    """List what qemufix has unpacked and made, and how much of the disk it takes.

    That may be deleted at any time, and is made again where it is wanted. When it becomes more
    than QEMUFIX_CACHE_SIZE, 64G if not set, what was used longest ago is removed, but nothing
    that is in use.

    \b
      qemufix cache
      qemufix cache clean --older-than 30
    """
    if ctx.invoked_subcommand is not None:
        return 0
    from ..budget import CACHE_VARIABLE, cache_limit

    try:
        limit = cache_limit()
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    job: Job = ctx.obj
    place, files = _contents()
    total = sum(file.size for file in files)
    fields = {"folder": printable(place), "limit": limit, "bytes": total}
    answer = Answer({**fields, "files": [_as_json(file) for file in files]})
    head = f"{printable(place)}: {_count(files)}, {size_text(total)}"
    lines = [f"{head}; at most {size_text(limit)} ({CACHE_VARIABLE})", *_table(files), *_fetched()]
    job.answer(answer, lines, as_json=as_json)
    return 0


@cache.command()
@click.argument("names", metavar="[NAME|DUMP]...", nargs=-1)
@click.option("--older-than", metavar="DAYS", type=click.FloatRange(min=0),
              help="Only what was not used for so many days.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only list what would be removed.")
@in_json
@click.pass_obj
def clean(
    job: Job, names: tuple[str, ...], older_than: float | None, dry_run: bool, as_json: bool
) -> int:
    """Remove files from the cache.

    All of them, or those of a NAME in the list, of which the beginning is enough, or those that
    were made from a DUMP. What is in use stays. Exit status 1: some of what was asked for is
    in use.

    \b
      qemufix cache clean
      qemufix cache clean guest.elf.gz
    """
    from ..dumps.storage.contents import clean as remove
    from ..dumps.storage.contents import sweep

    place, files = _contents()
    wanted = _chosen(files, names)
    if older_than is not None:
        latest = time.time() - older_than * _DAY
        wanted = [file for file in wanted if file.last_used <= latest]
    removed = [file for file in wanted if not file.in_use]
    left = [file for file in wanted if file.in_use]
    if files and not dry_run:
        with _folder() as folder:
            removed, left = remove(folder, wanted)
            sweep(folder)
    freed = sum(file.size for file in removed)
    parts = {"removed": removed, "in_use": left}
    named = {part: [_as_json(file) for file in those] for part, those in parts.items()}
    fields = {"folder": printable(place), "dry_run": dry_run, "bytes": freed}
    done = "would be removed" if dry_run else "removed"
    lines = [f"{done}: {_count(removed)}, {size_text(freed)}", *_table(removed)]
    lines += [f"in use: {_count(left)}", *_table(left)] if left else []
    job.answer(Answer({**fields, **named}), lines, as_json=as_json)
    return 1 if left else 0


def _folder() -> Any:
    from ..dumps.storage.folder import Folder

    folder = Folder("cache")
    folder.check()
    return folder


def _contents() -> tuple[str, list[File]]:
    """Where the cache is, and the files in it; none where it isn't there yet."""
    from ..dumps.storage.contents import contents
    from ..dumps.storage.folder import place

    try:
        with _folder() as folder:
            return str(folder.place), contents(folder)
    except FileNotFoundError:
        return str(place()), []


def _chosen(files: Sequence[File], names: Iterable[str]) -> list[File]:
    """The files that are named, in the list's order.

    Raises:
        click.UsageError: a name is of none, or its beginning of several.
    """
    names = list(names)
    if not names:
        return list(files)
    chosen = set[int]()
    for name in names:
        found = _by_name(files, name)
        if not found:
            raise click.UsageError(f"{printable(name)} is nothing in the cache")
        chosen |= found
    return [file for number, file in enumerate(files) if number in chosen]


def _by_name(files: Sequence[File], name: str) -> set[int]:
    path = os.path.realpath(name)
    found = {n for n, file in enumerate(files) if file.name == name or file.about.path == path}
    if found or len(name) < _SHORTEST:
        return found
    found = {n for n, file in enumerate(files) if _short(file).startswith(name)}
    if len({files[n].name for n in found}) > 1:
        raise click.UsageError(f"{printable(name)} is the beginning of several")
    return found


def _short(file: File) -> str:
    """The part of a name that tells it from others."""
    return file.name.rpartition("-")[2]


def _what(file: File) -> str:
    from ..dumps.storage.folder import NEW

    if file.end == NEW:
        return "being made" if file.in_use else "left half made"
    return file.about.what


def _as_json(file: File) -> dict[str, Any]:
    from datetime import UTC, datetime

    from ..dumps.storage.folder import PART

    used = datetime.fromtimestamp(file.last_used, UTC).replace(microsecond=0)
    return {
        "name": file.name,
        "what": printable(_what(file)),
        "bytes": file.size,
        "last_used": used.isoformat().replace("+00:00", "Z"),
        "in_use": file.in_use,
        "damaged": file.end == PART,
        "from": printable(file.about.path) or None,
        "kernel": printable(file.about.kernel) if file.about.kernel else None,
    }


def _table(files: Sequence[File]) -> Iterator[str]:
    rows = [
        (
            _short(file)[:8],
            printable(_what(file)),
            size_text(file.size),
            "in use" if file.in_use else _age(time.time() - file.last_used),
            " ".join(
                filter(None, (printable(file.about.path), printable(file.about.kernel or "")))
            ),
        )
        for file in files
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
    for *cells, source in rows:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield f"  {'  '.join(padded)}  {source}".rstrip()


def _age(seconds: float) -> str:
    for unit, size in (("day", _DAY), ("hour", 3600), ("minute", 60)):
        number = int(seconds // size)
        if number > 0:
            return f"{number} {unit}{'s' * (number != 1)} ago"
    return "just now"


def _count(files: Sequence[File]) -> str:
    return f"{len(files)} file{'s' * (len(files) != 1)}"


def _fetched() -> Iterator[str]:
    """Where debuginfod's client keeps what --fetch got, which is not ours to clean."""
    from ..symbols.places import debuginfod_cache

    if debuginfod_cache().is_dir():
        place = printable(str(debuginfod_cache()))
        yield f"what --fetch got is in {place}, which debuginfod's client cleans by itself"
