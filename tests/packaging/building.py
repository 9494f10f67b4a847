# SPDX-License-Identifier: GPL-3.0-or-later
"""Building what goes to users, from copies of the sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: What setuptools adds to the sources.
GENERATED = ("PKG-INFO", "setup.cfg", "qemufix.egg-info/")
HEADER = Path("/usr/include/crash/defs.h")
WITHOUT_CRASH = {"CRASH_INCLUDE": "/nonexistent"}
SECONDS = 300
#: A plugin that must not get anywhere.
STALE = b"\x7fELF stale: qemufix.so was built for crash 1.2.3, this is crash %s"


@cache
def source_files() -> list[str]:
    """The sources' names: git's, or, unpacked from an sdist, those that it lists."""
    listed = ROOT / "qemufix.egg-info" / "SOURCES.txt"
    if (ROOT / ".git").exists():
        if not shutil.which("git"):
            pytest.skip("needs git, to know which files are sources")
        command = ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "-z"]
        names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        return sorted(name for name in names.split("\0") if name and (ROOT / name).exists())
    return sorted(n for n in listed.read_text().splitlines() if not n.startswith(GENERATED))


def copy_sources(folder: Path, origin: Path = ROOT) -> Path:
    """A copy of the sources below ``origin`` in ``folder``, and nothing that was built."""
    for name in source_files():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin / name, target)
        target.chmod((origin / name).stat().st_mode & 0o777)
    return folder


def leave_behind(folder: Path) -> None:
    """What earlier builds may have left in ``folder``."""
    for place in ("", "build/lib", "build/lib.linux-x86_64-cpython-311", "build/lib.linux-x86_64"):
        package = folder / place / "crashext"
        package.mkdir(parents=True, exist_ok=True)
        for name in ("qemufix.so", "_host.so"):
            (package / name).write_bytes(STALE)
    (folder / "build" / "lib" / "crashext" / "removed_since.py").write_text("")
    listed = folder / "qemufix.egg-info" / "SOURCES.txt"
    listed.parent.mkdir()
    listed.write_text("setup.py\ncrashext/qemufix.so\ncrashext/_host.so\n")


def build(
    what: str, folder: Path, out: Path, environ: Mapping[str, str] = {}, umask: int = 0o022
) -> Path:
    """Build an ``sdist`` or ``wheel`` of the sources in ``folder`` into the new folder ``out``."""
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", f"--{what}", "--outdir", out, folder],
        env={**os.environ, **environ},
        umask=umask,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    (built,) = out.iterdir()
    return built
