# SPDX-License-Identifier: GPL-3.0-or-later
"""What the questions share."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib import import_module
from typing import Any

from drgn import Object, Program

#: All helpers by name; which there are is known when it is loaded.
linux: Any = import_module("drgn.helpers.linux")
Question = Callable[[Program], Any]


def text(value: bytes) -> str:
    """A name."""
    return value.decode(errors="replace")


def at(obj: Object) -> int:
    """A pointer's value, or where an object is."""
    return int(obj.value_() if obj.address_ is None else obj.address_)


def type_of(obj: Object) -> str:
    """The name of its type."""
    return str(obj.type_.type_name())


def printed(function: Callable[[Program], None]) -> Question:
    """What a helper prints."""

    def question(prog: Program) -> str:
        with redirect_stdout(io.StringIO()) as out:
            function(prog)
        return out.getvalue()

    return question
