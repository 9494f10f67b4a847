# SPDX-License-Identifier: GPL-3.0-or-later
"""``--explain``: the course of a search, for who wants to judge it."""

from __future__ import annotations

from collections.abc import Iterator

from ..locate.meaning import WAYS, meaning_of_check
from ..locate.result import Location, Step
from ..text import printable, size_text

#: What each confidence stands for; docs/security.md has the whole of it.
_CONFIDENCE = {
    "certain": "no program in the guest can have made up what bears it out",
    "strong": "independent checks agree, but one that would settle it has nothing to say",
    "weak": "too little bears it out to be relied upon",
    "none": "nothing that can be relied upon",
}
_SIGN = {True: "+", False: "-", None: "?"}
_MOST = 60


def explanation(answer: Location) -> Iterator[str]:
    """What was tried, in order; what was looked at of what was found; the verdict."""
    size = "" if answer.page_size is None else f" of {size_text(answer.page_size)}"
    yield f"How it was looked for ({answer.pages_read} pages{size} of guest memory read in all):"
    for number, step in enumerate(answer.steps, 1):
        yield from _step(number, step)
    if answer.evidence:
        yield "What was looked at (+ agrees, - contradicts, ? says nothing):"
    for piece in answer.evidence[:_MOST]:
        meaning = meaning_of_check(piece.name, answer.arch)
        yield f"  {_SIGN[piece.held]} {piece.name}{': ' if meaning else ''}{meaning}"
        yield f"      {printable(piece.value)}"
    if len(answer.evidence) > _MOST:
        yield f"  ... and {len(answer.evidence) - _MOST} more (--json has all)"
    yield from _others(answer)
    verdict = printable(answer.reason) if answer.reason else "the only kernel met"
    yield f"Verdict: {answer.confidence}, {_CONFIDENCE[answer.confidence]}."
    yield f"  Why this one: {verdict}" if answer.found else f"  Why none: {verdict}"


def _step(number: int, step: Step) -> Iterator[str]:
    pages = f"{step.pages_read} page{'' if step.pages_read == 1 else 's'} read"
    yield f"  {number}. {step.way}: {WAYS.get(step.way, '')} ({pages})"
    if not step.number:
        yield "       nothing"
    for words in step.found:
        yield f"       found {printable(words)}"
    if step.number > len(step.found):
        yield f"       ... and {step.number - len(step.found)} more"
    for words in step.refused:
        yield f"       rejected {printable(words)}"


def _others(answer: Location) -> Iterator[str]:
    others = [kernel for kernel in answer.kernels if not kernel["chosen"]]
    if others and answer.found:
        yield "Kernels not taken:"
    for kernel in others[:_MOST] if answer.found else ():
        held = ", ".join(map(printable, kernel["confirmed_by"])) or "nothing"
        yield f"  {kernel['id']} is {kernel['state']}, {kernel['confidence']}: borne out by {held}"
