# SPDX-License-Identifier: GPL-3.0-or-later
"""Of several vmlinux files the one of the dump's kernel, in whatever order they were given."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import SymbolFileError
from ..symbols.library import Library, Wanted
from ..symbols.vmlinux import Vmlinux
from .choice.choose import choose
from .context import Context
from .search import search

#: Files tried one by one; where there are more, the kernels in memory say which.
_FEW = 8


def fitting(context: Context, given: Sequence[str], kernel: str | None) -> str | None:
    """The path of the vmlinux that fits the answer; None where more than one does.

    Where none fits, one is returned all the same: the answer then says what differs.

    Raises:
        SymbolFileError: none of the files can be used.
    """
    library = Library(given)
    builds = library.builds(None, _FEW)
    if len(builds) > _FEW:
        builds = library.builds(_in_memory(context, kernel), _FEW)
    for text in library.warnings:
        context.warn(text)
    if len(builds) == 1:
        return builds[0].path
    if not builds:
        raise library.problem or SymbolFileError("no vmlinux found there", path=", ".join(given))
    fits = [build.path for build in builds if _fits(context, build.path, kernel)]
    if len(fits) > 1:
        context.warn(f"{len(fits)} of the vmlinux given fit a kernel in memory: give one of them")
        return None
    return fits[0] if fits else builds[0].path


def _fits(context: Context, path: str, kernel: str | None) -> bool:
    """Whether a search with that vmlinux finds a kernel that is of its build."""
    with Vmlinux(path) as vmlinux:
        trial = _fresh(context, vmlinux)
        image = choose(trial, search(trial, everything=kernel is not None), kernel).image
        return image is not None and bool(image.matches_vmlinux)


def _in_memory(context: Context, kernel: str | None) -> Wanted:
    """What tells the vmlinux of each kernel in memory."""
    trial = _fresh(context, None)
    images = search(trial, everything=kernel is not None)
    return Wanted(
        frozenset(i.build_id for i in images if i.build_id),
        frozenset(i.banner for i in images if i.banner),
        frozenset(i.release for i in images if i.release),
    )


def _fresh(context: Context, vmlinux: Vmlinux | None) -> Context:
    """A context for a trial: the same memory, nothing found yet."""
    return Context(
        context.dump,
        context.memory,
        context.arch,
        vmlinux,
        use_cpu_state=context.use_cpu_state,
        progress=context.progress,
    )
