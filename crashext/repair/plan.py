# SPDX-License-Identifier: GPL-3.0-or-later
"""What a repair changes, as data: shown by ``--dry-run``, carried out in place or in a copy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..budget import Budget
from ..dumps import open_source
from ..dumps.base import Dump
from ..dumps.elf import ElfDump
from ..dumps.flattened import FlattenedSource
from ..dumps.kdump import KdumpDump
from ..dumps.source import FileSource, Source
from ..errors import CorruptDump, MissingMemory, NotCertain, RepairError
from ..kernel.kernel import Kernel
from ..locate import Found
from ..locate.result import Confidence, Location
from . import elf, flat, kdump
from .change import Change
from .facts import Facts, facts_of
from .headers import Headers
from .overlay import Overlay, Patch, source_of

#: Placements that are believed; any other takes force.
_BELIEVED: tuple[Confidence, ...] = ("certain", "strong")
_PAGE, _COMPARED = 4096, 64  # bytes, and ranges of memory whose ends are compared


@dataclass(frozen=True)
class Plan:
    """How to make one dump right.

    Attributes:
        dump: the dump, open.
        location: where its kernel is.
        headers: what a right dump says.
        changes: what is changed, in words; none where the dump is right.
        patches: of ``source``, the image without its containers.
        unmendable: why the file's own format can't be mended, so that it has to be written
            anew; "" where it can.
        warnings: what mending does not put right.
    """

    dump: Dump
    location: Location
    headers: Headers
    changes: tuple[Change, ...]
    patches: tuple[Patch, ...]
    unmendable: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def source(self) -> Source | None:
        """The dump's one file, containers taken off; None where it is no one file."""
        return source_of(self.dump)

    @property
    def file(self) -> FileSource | None:
        """The file itself, where the dump lies in it uncompressed; None else."""
        source = self.source
        if isinstance(source, FlattenedSource):
            source = source.container
        if not isinstance(source, FileSource):
            return None
        # Of a compressed file the unpacked one, which lies in the cache, is read.
        facts, named = os.fstat(source.fileno()), Path(self.dump.path).stat()
        return source if os.path.samestat(facts, named) else None

    def file_patches(self) -> list[Patch]:
        """The patches of the file, whatever its container.

        Raises:
            RepairError: it can't be patched.
        """
        if self.unmendable:
            raise RepairError(self.unmendable)
        source = self.source
        if isinstance(source, FlattenedSource):
            return flat.in_file(source, self.patches)
        return list(self.patches)

    def mended(self, budget: Budget | None = None) -> Source:
        """The dump's image as it is after the repair.

        Raises:
            RepairError: it can't be mended, or is no one file.
        """
        source = self.source
        if source is None or self.unmendable:
            raise RepairError(self.unmendable or "a dump in several files")
        return Overlay(source, self.patches, budget)


def plan_repair(found: Found, *, force: bool = False, checked: bool = True) -> Plan:
    """The repair of the dump whose kernel was looked for.

    ``force`` takes a placement that little bears out; without ``checked`` the plan is only to
    be told, not to be carried out.

    Raises:
        NotCertain: it isn't certain where the kernel lies, or too little is known of it.
    """
    location = found.location
    if found.image is None or found.context is None:
        raise NotCertain(location.reason or "no kernel found")
    if location.confidence not in _BELIEVED and not force:
        raise NotCertain(f"not certain enough ({location.confidence}): {location.reason}")
    facts = facts_of(Kernel(found))
    dump = found.context.dump
    changes, patches, unmendable = _mend(dump, facts)
    every = (*facts.changes, *changes)
    if all(change.layout for change in every):
        every, patches = (), ()
    warnings = tuple(_left(dump, facts.headers))
    plan = Plan(dump, location, facts.headers, every, patches, unmendable, warnings)
    if patches and checked:
        _check(plan)
    return plan


def _left(dump: Dump, headers: Headers) -> Iterator[str]:
    """What only a new file puts right."""
    if headers.page_size != dump.page_size:
        yield (
            f"its blocks are of {dump.page_size} bytes, the guest's pages of {headers.page_size}: "
            "libkdumpfile and makedumpfile take them for the same, and read a new file (-o) only"
        )


def _check(plan: Plan) -> None:
    """Our own reader finds in the mended dump what was meant, and the memory as it was."""
    dump = plan.dump
    # It is not closed: its file is the dump's.
    mended = open_source(plan.mended(Budget()))
    noted = [(n.name, n.type, n.desc) for n in mended.notes]
    meant = [(n.name, n.type, n.desc) for n in plan.headers.notes]
    if noted != meant or mended.ram != dump.ram or not all(_alike(dump, mended)):
        raise RepairError("the repair would not give the same dump with the right notes: a bug")


def _alike(dump: Dump, mended: Dump) -> Iterator[bool]:
    """Whether the ends of what is stored are the same memory in both."""
    for stored in islice(dump.stored, _COMPARED):
        for paddr in {stored.start, max(stored.start, stored.end - _PAGE)}:
            size = min(_PAGE, stored.end - paddr)
            try:
                yield dump.read(paddr, size) == mended.read(paddr, size)
            except (MissingMemory, CorruptDump):
                continue


def _mend(dump: Dump, facts: Facts) -> tuple[list[Change], tuple[Patch, ...], str]:
    """Changes and patches, or why there can be none."""
    if not dump.complete:
        # What is put behind the end would be read as the memory that is missing there.
        return [], (), "the file is cut off: write a new file (-o)"
    try:
        if isinstance(dump, KdumpDump):
            changes, patches = kdump.mend(dump, facts.headers)
        elif isinstance(dump, ElfDump):
            changes, patches = elf.mend(dump, facts.headers)
        elif dump.format == "kdump":
            return [], (), "it is in several files: write a new one (-o)"
        else:
            return [], (), f"a {dump.format} is no dump that tools open: write a new file (-o)"
    except RepairError as error:
        return [], (), str(error)
    return changes, tuple(patches), ""
