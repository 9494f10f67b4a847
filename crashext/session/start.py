# SPDX-License-Identifier: GPL-3.0-or-later
"""What crash starts for a command: ``python3 -I start.py qemufix ARGUMENTS``.

Finds the package and what it depends on.  Kept to what older Pythons read, so that
they can say that they are too old.
"""

import os
import sys
from pathlib import Path


def _add_places() -> None:
    """Put the package before the installed ones, and the .venv beside it between them."""
    parent = Path(__file__).absolute().parents[2]
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    places = [parent, parent / ".venv" / "lib" / version / "site-packages"]
    installed = [i for i, path in enumerate(sys.path) if path.endswith("-packages")]
    at = installed[0] if installed else len(sys.path)
    sys.path[at:at] = [str(place) for place in places if place.is_dir()]


def _start() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - the plugin may have been built for another
        raise ImportError("it is older than 3.11")
    _add_places()
    from crashext.session.plugin import main

    return main(sys.argv[1:])


if __name__ == "__main__":
    try:
        status = _start()
    except Exception as problem:
        status = 1
        python = f"{sys.executable} (Python {sys.version_info[0]}.{sys.version_info[1]})"
        print(f"qemufix: can't start with {python}: {problem}", file=sys.stderr, flush=True)
    os._exit(status)  # nothing is buffered, and taking Python down takes time
