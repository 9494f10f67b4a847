# SPDX-License-Identifier: GPL-3.0-or-later
"""What a repair changes, as data: shown by ``--dry-run``, carried out in place or in a copy."""

from __future__ import annotations

from dataclasses import dataclass

from ..dumps.base import Dump
from ..dumps.elf import ElfDump
from ..dumps.flattened import FlattenedSource
from ..dumps.kdump import KdumpDump
from ..dumps.source import FileSource, Source
from ..errors import RepairError
from ..kernel.kernel import Kernel
from ..locate.result import Confidence, Location
from . import elf, flat, kdump
from .change import Change
from .facts import Facts, facts_of
from .headers import Headers
from .overlay import Overlay, Patch

#: Placements that are believed; any other takes --force.
BELIEVED: tuple[Confidence, ...] = ("certain", "strong")


@dataclass(frozen=True)
class Plan:
    """How to make one dump right.

    Attributes:
        dump: the dump, open.
        location: where its kernel is.
        headers: what a right dump says.
        changes: what is changed, in words; none where the dump is right.
        patches: of ``dump.source``, the image without its containers.
        unmendable: why the file's own format can't be mended, so that it has to be written
            anew; "" where it can.
    """

    dump: Dump
    location: Location
    headers: Headers
    changes: tuple[Change, ...]
    patches: tuple[Patch, ...]
    unmendable: str = ""

    @property
    def file(self) -> FileSource | None:
        """The file itself, where the dump lies in it uncompressed; None else."""
        source = self.dump.source
        if isinstance(source, FlattenedSource):
            source = source.container
        return source if isinstance(source, FileSource) else None

    def file_patches(self) -> list[Patch]:
        """The patches of the file, whatever its container.

        Raises:
            RepairError: it can't be patched.
        """
        if self.unmendable:
            raise RepairError(self.unmendable)
        source = self.dump.source
        if isinstance(source, FlattenedSource):
            return flat.in_file(source, self.patches)
        return list(self.patches)

    def mended(self) -> Source:
        """The dump's image as it is after the repair."""
        source = self.dump.source
        if source is None or self.unmendable:
            raise RepairError(self.unmendable or "a dump in several files")
        return Overlay(source, self.patches)


def plan_repair(kernel: Kernel) -> Plan:
    """The repair of the dump that ``kernel`` was found in.

    Raises:
        RepairError: too little is known of the kernel.
    """
    facts = facts_of(kernel)
    dump = kernel.dump
    changes, patches, unmendable = _mend(dump, facts)
    return Plan(
        dump, kernel.location, facts.headers, (*facts.changes, *changes), patches, unmendable
    )


def _mend(dump: Dump, facts: Facts) -> tuple[list[Change], tuple[Patch, ...], str]:
    try:
        if isinstance(dump, KdumpDump):
            changes, patches = kdump.mend(dump, facts.headers)
        elif isinstance(dump, ElfDump):
            changes, patches = elf.mend(dump, facts.headers)
        else:
            return [], (), f"a {dump.format} is no dump that tools open: write a new file (-o)"
    except RepairError as error:
        return [], (), str(error)
    return changes, tuple(patches), ""
