# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m fuzz``: feed damaged dumps to the readers, and sound ones to models beside them.

``python -m fuzz.guided`` lets atheris guide the damage. A finding is anything but an error
of ours: another exception, more than a second and a second for each MB of file, too much
memory, a byte that is not the model's. Its files are kept and named; make it a test.
"""

from __future__ import annotations

import argparse
import sys

from .pool import NAMES, Finding, run


def main() -> int:
    """Fuzz the containers that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("containers", nargs="*", metavar="CONTAINER", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=float, default=10, help="for each container")
    parser.add_argument("--cases", type=int, default=1 << 62, help="of each container, at most")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if unknown := set(options.containers) - set(NAMES):
        parser.error(f"no such container: {', '.join(sorted(unknown))}")
    total = 0
    for name in options.containers or NAMES:
        try:
            done = run(name, options.seed, seconds=options.seconds, cases=options.cases)
        except Finding as found:
            print(f"FOUND {found}")
            return 1
        total += done.cases
        print(
            f"{name}: {done.cases} cases, at most {done.peak / 1e6:.0f} MB more memory, "
            f"slowest {done.seconds:.3f} s (number {done.slowest})",
            flush=True,
        )
    print(f"{total} cases, nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
