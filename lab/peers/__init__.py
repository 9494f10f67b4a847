# SPDX-License-Identifier: GPL-3.0-or-later
"""Other tools on a dump, each as its users run it, and what they say held against the guest.

``guest`` knows what is right, ``case`` what is asked and answered; a module of each tool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..errors import LabError
from . import with_crash, with_drgn, with_gdb, with_kdumpfile, with_makedumpfile, with_volatility
from .case import Case, Outcome, Values

PEERS: Mapping[str, Callable[[Case], Outcome]] = {
    peer.TOOL: peer.ask
    for peer in (
        with_crash, with_drgn, with_kdumpfile, with_makedumpfile, with_gdb, with_volatility
    )
}  # fmt: skip


def ask(tool: str, case: Case) -> Outcome:
    """What one tool makes of a dump; a tool that hangs has not opened it."""
    try:
        return PEERS[tool](case)
    except LabError as error:
        missing = "not installed" in str(error)
        return Outcome(tool, None if missing else False, problem=str(error))


def judged(outcome: Outcome, guest: Values) -> str:
    """In one word: ``-`` (not for it), ``refuses``, ``wrong``, ``right``."""
    if outcome.opened is None:
        return "-"
    if not outcome.opened:
        return "refuses"
    return "wrong" if outcome.values.unlike(guest) or outcome.problem else "right"
