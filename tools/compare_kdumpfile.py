# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a dump through libkdumpfile with the same memory through our reader.

``/usr/bin/python3 -m tools.compare_kdumpfile DUMP [REFERENCE]``: prints how many pages
are the same, differ, and can't be read. Needs Debian's python3-libkdumpfile.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

from crashext import CrashExtError, open_dump


def main() -> None:
    """Look at every page of the first range of RAM that the reference can read."""
    import kdumpfile
    from kdumpfile.exceptions import KDumpBaseException

    path, reference = sys.argv[1], open_dump(sys.argv[-1])
    context: Any = kdumpfile.kdumpfile(path)
    space, size = kdumpfile.KDUMP_MACHPHYSADDR, reference.page_size
    counts: Counter[str] = Counter()
    for paddr in range(*reference.ram[0], size):
        try:
            ours = reference.read(paddr, size)
        except CrashExtError:
            continue
        try:
            counts["same" if bytes(context.read(space, paddr, size)) == ours else "different"] += 1
        except KDumpBaseException:
            counts["unread"] += 1
    print(counts["same"], counts["different"], counts["unread"])


if __name__ == "__main__":
    main()
