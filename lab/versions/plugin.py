# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin built for one crash and one Python, in a folder of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import run
from ..packages import CACHE
from .systems import Crash, Python

ROOT = Path(__file__).parents[2]
#: Without a compiled part, so that one folder serves all Pythons. No page of a guest's dump
#: needs more: it is zlib's.
_PURE = ("click", "pyelftools")


def build(crash: Crash, python: Python, cache: Path = CACHE) -> Path:
    """The plugin, built unless it is there; what it needs of Python lies beside it.

    Raises:
        LabError: it can't be built, or the packages can't be had.
    """
    folder = cache / "plugins" / f"crash-{crash.version}-python-{python.series}"
    places = folder / ".venv" / "lib" / f"python{python.series}"
    places.mkdir(parents=True, exist_ok=True)
    packages = places / "site-packages"
    if not packages.exists():
        packages.symlink_to(_packages(cache))
    settings = {
        "PLUGIN_FOLDER": folder,
        "CRASH_VERSION": crash.version,
        "CRASH_INCLUDE": crash.include,
        "PLUGIN_PYTHON": python.program,
        "PYTHON_PROGRAM": python.program,
        "CRASH_PROGRAM": crash.program if "/" in crash.program else "/proc/self/exe",
    }
    words = [f"{name}={value}" for name, value in settings.items()]
    run(["make", "--no-print-directory", "plugin", *words], cwd=ROOT, timeout=300)
    return folder / "qemufix.so"


def _packages(cache: Path) -> Path:
    folder = (cache / "plugins" / "packages").resolve()
    if not folder.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:"]
        run([*pip, "--target", folder, *_PURE], timeout=300)
    return folder
