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
    files, said = case.paths, ""
    if want != "file":
        try:
            source = image(case, want)
        except RepairError as problem:
            raise LaunchError(f"{why}: it can't be repaired: {problem}") from None
        view = View(_VIEW) if show_only else show(source, progress=progress)
        files, said = (view.path,), f"{why}: {_given(view, want)}"
    return Ready([*program, *tool.arguments(case, files, options)], said)


def _given(view: View, want: Want) -> str:
    kind = "as an ELF core" if want == "elf" else "repaired"
    if view.why_copied:
        return f"it is given a copy {kind}, {view.path} ({view.why_copied})"
    return f"it is shown the dump {kind}, {view.path}"


def image(case: Case, want: Want) -> Source:
    """The bytes of what the tool wants."""
    mends = want == "mended" or isinstance(case.dump, ElfDump)
    if mends and not case.plan.unmendable:
        return case.plan.mended()
    from ..repair.view.elf_image import ElfImage

    return ElfImage(case.dump, case.plan.headers)
