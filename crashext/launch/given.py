# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that a tool is given: the dump's own, or a view of it repaired."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..dumps.elf import ElfDump
from ..dumps.source import Source
from ..errors import LaunchError, RepairError
from ..repair.view import Progress, View, show
from .case import Case, Tool, Want

_VIEW = "VIEW"


class Ready(NamedTuple):
    """A tool's whole command, and what there is to say before it."""

    command: list[str]
    said: str


def prepare(
    tool: Tool,
    case: Case,
    program: Sequence[str],
    options: Sequence[str],
    *,
    show_only: bool = False,
    progress: Progress | None = None,
) -> Ready:
    """Make what the tool wants, to be there for as long as this process lives.

    With ``show_only`` nothing is made, and ``VIEW`` stands for a file that would be.

    Raises:
        LaunchError: too little is known for a repair.
        UnreadableDump: neither a view nor a copy can be made.
    """
    want, why = tool.wants(case)
    if want == "file":
        files, said = case.paths, ""
    elif show_only:
        image(case, want, why)
        files, said = (_VIEW,), f"{why}: {_given(View(_VIEW), want)}"
    else:
        files, said = give(case, want, why, reader=None, progress=progress)
    return Ready([*program, *tool.arguments(case, files, options)], said)


def give(
    case: Case, want: Want, why: str, *, reader: int | None, progress: Progress | None
) -> tuple[tuple[str, ...], str]:
    """The files for the process ``reader``, this one if None, and what there is to say.

    Raises:
        LaunchError: too little is known for a repair.
        UnreadableDump: neither a view nor a copy can be made.
    """
    view = show(image(case, want, why), reader=reader, progress=progress)
    return (view.path,), f"{why}: {_given(view, want)}"


def _given(view: View, want: Want) -> str:
    kind = "as an ELF core" if want == "elf" else "repaired"
    if view.why_copied:
        return f"it is given a copy {kind}, {view.path} ({view.why_copied})"
    return f"it is shown the dump {kind}, {view.path}"


def image(case: Case, want: Want, why: str) -> Source:
    """The bytes of what the tool wants.

    Raises:
        LaunchError: too little is known for a repair.
    """
    from ..repair.view.elf_image import ElfImage

    try:
        plan = case.plan
        mends = want == "mended" or isinstance(case.dump, ElfDump)
        if mends and plan.source is not None and not plan.unmendable:
            return plan.mended()
        return ElfImage(case.dump, plan.headers, case.paths)
    except RepairError as problem:
        raise LaunchError(f"{why}: it can't be repaired: {problem}") from None
