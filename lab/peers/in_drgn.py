# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m lab.peers.in_drgn DUMP VMLINUX``: what drgn says, as JSON, a value as it comes."""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    """Open the dump, and say each value by itself."""
    import drgn
    from drgn.helpers.linux.pid import for_each_task
    from drgn.helpers.linux.printk import get_printk_records

    dump, vmlinux = sys.argv[1:]
    program = drgn.Program()
    program.set_core_dump(dump)
    program.load_debug_info([vmlinux])
    _say("release", program["init_uts_ns"].name.release.string_().decode(errors="replace"))
    _say("tasks", sum(1 for _ in for_each_task(program)))
    _say("log", [r.text.decode(errors="replace") for r in get_printk_records(program)])
    banner = program.read_c_string(program.symbol("linux_banner").address, max_size=512)
    _say("banner", banner.decode(errors="replace"))


def _say(name: str, value: Any) -> None:
    print(json.dumps({name: value}), flush=True)


if __name__ == "__main__":
    main()
