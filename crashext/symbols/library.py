# SPDX-License-Identifier: GPL-3.0-or-later
"""The vmlinux files among what the user gave: files, and directories of debug packages."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import SymbolFileError
from .vmlinux import Vmlinux

#: Seconds and files that looking through directories may take.
_PATIENCE, _MAX_ENTRIES, _MAX_OPENED = 20.0, 2_000_000, 400
#: Where debug packages put a file by its build ID, below the directory.
_INDEX = (".build-id", "usr/lib/debug/.build-id", "lib/debug/.build-id", "debug/.build-id")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What tells the kernels looked for: build IDs, banners, releases."""

    build_ids: frozenset[str]
    banners: frozenset[bytes]
    releases: frozenset[str]


@dataclass(frozen=True, slots=True, order=True)
class Build:
    """One usable vmlinux."""

    build_id: str
    path: str


class Library:
    """The files given, and those in the directories given, opened as they are asked for.

    ``problem`` is why the last file that can't be used can't, ``warnings`` tell what was
    left out.
    """

    def __init__(self, given: Sequence[str]) -> None:
        self.problem: SymbolFileError | None = None
        self.warnings: list[str] = []
        self._files = [path for path in given if not Path(path).is_dir()]
        self._folders = [path for path in given if Path(path).is_dir()]
        self._end = time.monotonic() + _PATIENCE
        self._found: list[str] | None = None

    def builds(self, wanted: Wanted | None, most: int) -> list[Build]:
        """The different builds there are, in an order that does not depend on that of the files.

        With ``wanted`` those that match it, all of them where none does; else no more than
        one above ``most`` are opened.
        """
        found: dict[str, Build] = {}
        matching: dict[str, Build] = {}
        indexed = [] if wanted is None else list(self._indexed(wanted))
        for number, path in enumerate([*indexed, *self._ordered(wanted)]):
            if number >= _MAX_OPENED or time.monotonic() > self._end:
                self.warnings.append("not all vmlinux files there were looked at: name the one")
                break
            build, banner = self._opened(path)
            if build is None:
                continue
            found.setdefault(build.build_id or str(banner), build)
            if wanted and (build.build_id in wanted.build_ids or banner in wanted.banners):
                matching.setdefault(build.build_id or str(banner), build)
            if len(found) > most and (wanted is None or matching):
                break
        return sorted((matching or found).values())

    def _opened(self, path: str) -> tuple[Build | None, bytes | None]:
        try:
            with Vmlinux(path) as vmlinux:
                vmlinux.check_whole()
                banner = vmlinux.banner
                if banner is None and path not in self._files:
                    return None, None
                return Build(vmlinux.build_id or "", path), banner
        except SymbolFileError as error:
            self.problem = error
            return None, None

    def _ordered(self, wanted: Wanted | None) -> list[str]:
        """All files, those whose names speak of a wanted release first."""
        if self._found is None:
            self._found = sorted({*self._files, *(p for f in self._folders for p in self._in(f))})
        releases = () if wanted is None else wanted.releases
        return sorted(self._found, key=lambda path: not any(r in path for r in releases))

    def _in(self, folder: str) -> Iterator[str]:
        """Files below that are named like kernels with symbols."""
        entries = 0
        for place, folders, names in os.walk(folder):
            folders[:] = sorted(f for f in folders if f not in (".build-id", ".dwz"))
            entries += len(names)
            if entries > _MAX_ENTRIES or time.monotonic() > self._end:
                self.warnings.append(f"{folder}: too many files to look through all of them")
                return
            for name in names:
                if name.startswith("vmlinux") or (name.endswith(".debug") and ".ko" not in name):
                    path = Path(place, name)
                    if path.is_file():
                        yield str(path)

    def _indexed(self, wanted: Wanted) -> Iterator[str]:
        """Files that the directories' own index has under a wanted build ID."""
        for folder in self._folders:
            for build_id in sorted(wanted.build_ids):
                for index in _INDEX:
                    path = Path(folder, index, build_id[:2], f"{build_id[2:]}.debug")
                    if path.is_file():
                        yield str(path)
