# SPDX-License-Identifier: GPL-3.0-or-later
"""The PyKdump program ``qemufix``.

Link this file into a folder of PYKDUMPPATH, then in crash:

    crash> epython qemufix --register
    crash> qemufix detect

or run it where it is: ``epython /path/to/qemufix.py detect``. A copy away from its
package needs QEMUFIX_PATH, the folder that holds the ``crashext`` package.

PyKdump runs a program in ``__main__``, which all programs share, so nothing stays
behind here; its Python may lack the folders of installed packages, and may be too
old for the package, so this file keeps to what older ones read.
"""

import os
import sys
from pathlib import Path


def _folders() -> "list[str]":
    """Where the package and what it needs may be, the package first."""
    parent = Path(__file__).resolve().parents[3]
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    places = [
        Path(os.environ.get("QEMUFIX_PATH", parent)),
        parent,
        parent / ".venv" / "lib" / version / "site-packages",
        Path("/usr/local/lib") / version / "dist-packages",
        Path("/usr/lib/python3/dist-packages"),
    ]
    return [str(place) for place in places if place.is_dir()]


def _run() -> None:
    """Run one command line with a sys.path that is put back."""
    before = list(sys.path)
    sys.path += [place for place in _folders() if place not in sys.path]
    try:
        from crashext.session.pykdump import main
    except ImportError as error:
        print(f"qemufix: the package can't be loaded ({error}): set QEMUFIX_PATH", flush=True)
    else:
        main(sys.argv, os.environ.get("PYKDUMPPATH", ""))
    finally:
        sys.path[:] = before


if sys.version_info >= (3, 11):  # noqa: UP036 - PyKdump brings a Python of its own
    _run()
else:
    print("qemufix: needs Python 3.11, PyKdump's is older: use `qemufix` outside", flush=True)
