# SPDX-License-Identifier: GPL-3.0-or-later
"""Building the stand-in for PyKdump (epython.c), in both of its forms, for any Python."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from functools import cache
from pathlib import Path

import pytest

from .crash_driver import build_extension

#: Debian's Python, which the plugin is built for.
DEBIAN = Path("/usr/bin/python3")
#: What the archive of PyKdump runs on loading: it registers PyKdump's own commands.
INIT = """\
from crash import register_epython_prog
register_epython_prog("crashinfo", "1st-pass analysis", "-h", "help")
"""
_ASK = """\
import json, sys, sysconfig
get = sysconfig.get_config_var
print(json.dumps([list(sys.version_info[:2]), sysconfig.get_path("include"), sys.base_prefix,
                  get("LIBDIR"), get("LDLIBRARY"), get("LDVERSION") or get("VERSION")]))
"""


@cache
def pythons() -> dict[str, Path]:
    """Each Python 3.6 and later of this machine, by its version: Debian's, PATH's and pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    places = [DEBIAN.parent, *folders, *sorted(pyenv.glob("versions/*/bin"))]
    found: dict[str, Path] = {}
    for minor in range(6, 30):
        for place in places:
            program = place / f"python3.{minor}"
            if program.exists() and _runs(program):
                found.setdefault(f"3.{minor}", program)
    return found


def _runs(program: Path) -> bool:
    """Whether it is no shim for a Python that isn't there."""
    return subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode == 0


def build(python: Path, folder: Path) -> Path:
    """The bare C part of the stand-in, with that Python in it; skips where it can't be built."""
    done = subprocess.run([python, "-c", _ASK], capture_output=True, text=True, check=True)
    _, include, prefix, libraries, library, version = json.loads(done.stdout)
    if not (Path(include) / "Python.h").exists() or ".so" not in library:
        pytest.skip(f"{python} has no headers or no shared library")
    return build_extension(
        "epython.c", folder / "epython.so", f"-I{include}", f'-DPYTHON_HOME="{prefix}"',
        f"-L{libraries}", f"-Wl,-rpath,{libraries}", f"-lpython{version}",
    )  # fmt: skip


def with_archive(bare: Path) -> Path:
    """The form that people load: an archive with the start-up program is appended."""
    full = bare.with_name("mpykdump.so")
    full.write_bytes(bare.read_bytes())
    with zipfile.ZipFile(full, "a") as archive:
        archive.writestr("PyKdumpInit.py", INIT)
    return full
