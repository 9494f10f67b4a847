# SPDX-License-Identifier: GPL-3.0-or-later
"""What drgn is asked: its helpers over the whole guest, each answer a JSON value.

Addresses and numbers as they are; names as text. A helper that a kernel or a dump does not suit
raises, and the error is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import devices, memory, tasks, types
from .common import Question

#: By name, in the order in which they are asked.
QUESTIONS: Mapping[str, Question] = {
    **tasks.QUESTIONS,
    **memory.QUESTIONS,
    **devices.QUESTIONS,
    **types.QUESTIONS,
}
