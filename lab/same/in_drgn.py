# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m lab.same.in_drgn DUMP VMLINUX``: every question's answer, one JSON line each."""

from __future__ import annotations

import json
import logging
import sys

REFUSED = "refused: "


def main() -> None:
    """Open the dump, and answer."""
    import drgn

    from .questions import QUESTIONS

    logging.disable()
    dump, vmlinux = sys.argv[1:]
    program = drgn.Program()
    program.set_core_dump(dump)
    program.load_debug_info([vmlinux])
    for name, question in QUESTIONS.items():
        try:
            answer = question(program)
        except Exception as error:  # whatever a helper raises is its answer
            answer = f"{REFUSED}{type(error).__name__}: {error}"
        print(json.dumps([name, answer], default=_plain), flush=True)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return int(value) if hasattr(value, "__int__") else repr(value)


if __name__ == "__main__":
    main()
