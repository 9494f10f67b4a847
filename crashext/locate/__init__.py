# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the kernel in a dump: :func:`locate`.

``ways/`` propose where a kernel may lie, ``image/`` checks one that was proposed,
``choice/`` says which is the answer and how sure it is, ``answer/`` puts that into words;
``search`` is the course of it all. What differs between architectures is asked of
:mod:`crashext.arch`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict, Unpack

from .result import Evidence, Location

if TYPE_CHECKING:
    from ..dumps.base import Dump
    from ..dumps.source import Source
    from .context import Context, Progress
    from .image.image import Image

__all__ = ["Evidence", "Found", "How", "Location", "finding", "locate"]


class How(TypedDict, total=False):
    """How to search.

    Attributes:
        vmlinux: the kernel's ELF file with symbols, if at hand; of several, or of those
            in a directory, the one that the dump's kernel was built with is taken.
        use_cpu_state: False ignores the vCPU registers of the dump's notes.
        everything: search all of RAM even when the answer is certain already.
        sparing: the file, where reading it is dear, as over a network: memory is searched where
            kernels usually are, and all of it only where none is found there that is alive.
        kernel: which of several kernels: "live", "crashed" or the ``id`` of one of
            ``kernels``, which is the same whatever was searched.
        progress: called with a description and the fraction done by long steps.
    """

    vmlinux: str | Sequence[str] | None
    use_cpu_state: bool
    everything: bool
    sparing: Source | None
    kernel: str | None
    progress: Progress | None


class Found(NamedTuple):
    """The answer, and what the search knows of the kernel that it names.

    ``image`` is None where no kernel was found; ``images`` are all that were met.
    """

    location: Location
    context: Context | None = None
    image: Image | None = None
    images: tuple[Image, ...] = ()


def locate(dump: Dump, **how: Unpack[How]) -> Location:
    """Find the kernel in ``dump`` and check the answer against the guest's memory.

    Args:
        dump: an opened dump.
        how: see :class:`How`.

    Raises:
        SymbolFileError: the vmlinux can't be used.
    """
    with finding(dump, **how) as found:
        return found.location


@contextmanager
def finding(dump: Dump, **how: Unpack[How]) -> Iterator[Found]:
    """Likewise, with what the search knows of the kernel while it is open."""
    from ..arch import ARCHITECTURES, architectures_of
    from .context import Context
    from .memory import PhysMemory

    answers: list[Found] = []
    with ExitStack() as stack:
        for arch in architectures_of(dump.arch):
            memory = PhysMemory(dump.read, arch.byte_order, arch.word)
            use_cpu_state = how.get("use_cpu_state", True)
            context = Context(dump, memory, arch, use_cpu_state=use_cpu_state)
            context.sparing = how.get("sparing")
            context.progress = how.get("progress") or context.progress
            answers.append(_find(context, stack, how))
            if answers[-1].location.found and context.cpus:
                yield answers[-1]
                return
        if not answers:
            known = ", ".join(a.name for a in ARCHITECTURES)
            reason = f"can't search {dump.arch} dumps, only {known}"
            answers.append(Found(Location(dump.path, dump.arch, False, reason=reason)))
        yield _of_several(answers)


def _of_several(answers: list[Found]) -> Found:
    """Of the answers for each architecture that the dump may be of: the only one found.

    Where none is, that which has at least met a kernel says why.
    """
    found = [answer for answer in answers if answer.location.found]
    if len(found) > 1:
        several = [answer.location for answer in found]
        kernels = ", ".join(f"{a.arch} at {a.text_paddr or 0:#x}" for a in several)
        reason = f"kernels of several architectures ({kernels}) and no vCPU state to tell"
        listed = tuple(kernel for answer in several for kernel in answer.kernels)
        first = several[0]
        return Found(Location(first.path, first.arch, False, reason=reason, kernels=listed))
    return next(iter(found or [a for a in answers if a.location.kernels] or answers))


def _find(context: Context, stack: ExitStack, how: How) -> Found:
    """The answer if the guest is of the context's architecture."""
    from .answer.answer import answer
    from .choice.choose import choose
    from .search import search

    start = time.perf_counter()
    kernel = how.get("kernel")
    path = _one_vmlinux(context, how.get("vmlinux"), kernel)
    if path is not None:
        from ..symbols.vmlinux import Vmlinux

        context.vmlinux = stack.enter_context(Vmlinux(path))
        context.vmlinux.check_whole()
    # A kernel asked for is one of all there are.
    images = search(context, everything=how.get("everything", False) or kernel is not None)
    choice = choose(context, images, kernel)
    location = answer(context, images, choice, lambda: time.perf_counter() - start)
    return Found(location, context, choice.image, tuple(images))


def _one_vmlinux(
    context: Context, given: str | Sequence[str] | None, kernel: str | None
) -> str | None:
    """The vmlinux to use: the only one given, or the one of the dump's kernel."""
    if given is None or isinstance(given, str):
        given = [] if given is None else [given]
    if len(given) == 1 and not Path(given[0]).is_dir():
        return given[0]
    if not given:
        return None
    from .which_vmlinux import fitting

    return fitting(context, given, kernel)
