# SPDX-License-Identifier: GPL-3.0-or-later
"""A small kernel of odd configuration, built from Debian's linux-source.

Distribution kernels all have PHYSICAL_START 16 MiB and PHYSICAL_ALIGN 2 MiB; this one has
others (lab/guest/odd.config). Besides gcc and make the build needs flex, bison, bc and
libelf-dev.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from .errors import LabError, run

_FRAGMENT = Path(__file__).parent / "guest" / "odd.config"
_UNPACK = (
    'dpkg-deb --fsys-tarfile "$0" | tar -xO --wildcards "*.tar.xz" | tar -xJ --strip=1 -C "$1"'
)
_BUILD_SECONDS = 3600


def build(cache: Path, say: Callable[[str], None]) -> str:
    """Build the kernel into ``cache`` as vmlinuz-REL and vmlinux-REL; return REL.

    Raises:
        LabError: the source can't be had, a tool is missing or the build fails.
    """
    missing = [tool for tool in ("gcc", "make", "flex", "bison", "bc") if not shutil.which(tool)]
    if missing:
        raise LabError(f"to build a kernel, install {', '.join(missing)} and libelf-dev")
    with TemporaryDirectory(prefix="kernel-", dir=cache) as directory:
        tree = Path(directory) / "linux"
        _fetch(Path(directory), tree, say)
        say("odd kernel: building (some minutes)")
        _make(tree, "tinyconfig")
        with (tree / ".config").open("a") as config:
            config.write(_FRAGMENT.read_text())
        _make(tree, "olddefconfig")
        _make(tree, f"-j{os.cpu_count() or 1}", "bzImage")
        release = run(["make", "-s", "kernelrelease"], cwd=tree).strip()
        (cache / f"modules-{release}").mkdir(exist_ok=True)
        (tree / "arch/x86/boot/bzImage").replace(cache / f"vmlinuz-{release}")
        (tree / "vmlinux").replace(cache / f"vmlinux-{release}")
    return release


def _fetch(directory: Path, tree: Path, say: Callable[[str], None]) -> None:
    text = run(["apt-cache", "depends", "linux-source"])
    if not (match := re.search(r"Depends: (linux-source-[\d.]+)", text)):
        raise LabError("apt's index has no linux-source (run `apt-get update`)")
    say(f"odd kernel: downloading {match[1]}")
    run(["apt-get", "-q", "download", match[1]], cwd=directory, timeout=1800)
    (deb,) = directory.glob("*.deb")
    tree.mkdir()
    run(["sh", "-c", _UNPACK, deb, tree], timeout=1800)


def _make(tree: Path, *words: str) -> None:
    log = tree / "build.log"
    with log.open("wb") as out:
        command = ["make", "-s", *words]
        done = subprocess.run(
            command, cwd=tree, stdout=out, stderr=out, timeout=_BUILD_SECONDS, check=False
        )
    if done.returncode:
        last = log.read_text(errors="replace").strip().splitlines()[-3:]
        raise LabError(f"make {' '.join(words)}: {' | '.join(last)}")
