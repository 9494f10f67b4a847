# SPDX-License-Identifier: GPL-3.0-or-later
"""Weighing the evidence: one writer, and how sure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .result import Confidence, Evidence, Strength

#: Each step outweighs two pieces of the step below it.
WEIGHTS: dict[Strength, int] = {"decisive": 9, "strong": 4, "medium": 2, "weak": 1}
NOBODY = "either"


def weigh(evidence: Iterable[Evidence]) -> tuple[str, Confidence]:
    """Return the writer that the evidence points to, and the confidence in it.

    A tie is no answer: ``("unknown", "none")``.
    """
    scores = Counter[str]()
    for piece in evidence:
        if piece.points_to != NOBODY:
            scores[piece.points_to] += WEIGHTS[piece.strength]
    if scores["makedumpfile"]:
        # It reads the kernel's /proc/vmcore and keeps that one's marks.
        scores["makedumpfile"] += scores.pop("kdump", 0)
    ranking = (+scores).most_common(2)
    if not ranking:
        return "unknown", "none"
    origin, best = ranking[0]
    rival = ranking[1][1] if len(ranking) > 1 else 0
    if best == rival:
        return "unknown", "none"
    return origin, _confidence(best, rival)


def _confidence(best: int, rival: int) -> Confidence:
    if best >= WEIGHTS["decisive"] and rival <= WEIGHTS["medium"]:
        return "certain"
    if best >= WEIGHTS["strong"] and best >= 2 * rival:
        return "strong"
    return "weak"
