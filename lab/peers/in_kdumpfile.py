# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 -m lab.peers.in_kdumpfile DUMP BANNER_VADDR``: what libkdumpfile says, as JSON.

Runs in Debian's Python, which has the binding.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    """Open the dump as one of Linux; everything else is for the library to find."""
    import kdumpfile

    context: Any = kdumpfile.kdumpfile(sys.argv[1])
    context.attr["addrxlat.ostype"] = "linux"
    print(json.dumps({"release": context.attr.get("linux.uts.release")}), flush=True)
    raw = bytes(context.read(kdumpfile.KDUMP_KVADDR, int(sys.argv[2], 16), 512))
    banner = raw.partition(b"\0")[0].decode(errors="replace").strip()
    print(json.dumps({"banner": banner}), flush=True)


if __name__ == "__main__":
    main()
