# SPDX-License-Identifier: GPL-3.0-or-later
"""Picking the vmlinux that a kernel was built with, out of several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..errors import SymbolFileError
from .vmlinux import Vmlinux

#: Names of kernels with symbols in debug packages' directories.
_PATTERNS = ("vmlinux*", "*.debug")
_MAX_FILES = 1000


def matching(given: Sequence[str], build_id: str | None, banner: bytes | None) -> str:
    """The path whose build ID (or, without one, whose banner) is the kernel's.

    Directories are searched, subdirectories included. Where none matches, the first
    usable one is returned: the comparison with the dump then says what differs.

    Raises:
        SymbolFileError: none of the files can be used.
    """
    usable: list[str] = []
    problem: SymbolFileError | None = None
    for path in _files(given):
        try:
            with Vmlinux(path) as vmlinux:
                if build_id is not None and vmlinux.build_id == build_id:
                    return path
                if banner is not None and vmlinux.banner == banner:
                    return path
                usable.append(path)
        except SymbolFileError as error:
            problem = error
    if usable:
        return usable[0]
    raise problem or SymbolFileError("no vmlinux found there", path=", ".join(given))


def _files(given: Iterable[str]) -> Iterator[str]:
    for path in map(Path, given):
        if not path.is_dir():
            yield str(path)
            continue
        found = sorted({f for p in _PATTERNS for f in path.rglob(p) if f.is_file()})
        yield from map(str, found[:_MAX_FILES])
