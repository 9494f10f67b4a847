# SPDX-License-Identifier: GPL-3.0-or-later
"""Small kernels built from Debian's linux-source: what no package of a kernel gives.

On x86_64 one of odd configuration: distribution kernels all have PHYSICAL_START 16 MiB and
PHYSICAL_ALIGN 2 MiB; and the same with its types. Of riscv64 any at all, since its packages
may be out of reach. Besides a compiler and make the build needs flex, bison, bc and
libelf-dev, for types pahole.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from .errors import LabError, Unavailable, run
from .target import Build

_GUEST = Path(__file__).parent / "guest"
_UNPACK = (
    'dpkg-deb --fsys-tarfile "$0" | tar -xO --wildcards "*.tar.xz" | tar -xJ --strip=1 -C "$1"'
)
_BUILD_SECONDS = 3600


def build(how: Build, cache: Path, say: Callable[[str], None]) -> str:
    """Build the kernel into ``cache`` as vmlinuz-REL and vmlinux-REL; return REL.

    Raises:
        LabError: the source can't be had, a tool is missing or the build fails.
    """
    tools = (f"{how.cross}gcc", "make", "flex", "bison", "bc", *how.tools)
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        raise Unavailable(f"to build a kernel, install {', '.join(missing)} and libelf-dev")
    name = "-".join(config.partition(".")[0] for config in how.configs)
    with TemporaryDirectory(prefix="kernel-", dir=cache) as directory:
        tree = Path(directory) / "linux"
        _fetch(how.source, Path(directory), tree, say)
        say(f"{name} kernel: building (some minutes)")
        _make(how, tree, "tinyconfig")
        with (tree / ".config").open("a") as config:
            config.write("".join((_GUEST / part).read_text() for part in how.configs))
        _make(how, tree, "olddefconfig")
        _make(how, tree, f"-j{os.cpu_count() or 1}", Path(how.image).name)
        release = run(["make", "-s", f"ARCH={how.arch}", "kernelrelease"], cwd=tree).strip()
        (cache / f"modules-{release}").mkdir(exist_ok=True)
        (tree / how.image).replace(cache / f"vmlinuz-{release}")
        (tree / "vmlinux").replace(cache / f"vmlinux-{release}")
    return release


def _fetch(source: str, directory: Path, tree: Path, say: Callable[[str], None]) -> None:
    text = run(["apt-cache", "depends", source])
    # The meta package depends on the source of one version, which has no such dependency.
    match = re.search(r"Depends: (linux-source-[\d.]+)", text)
    package = match[1] if match else source
    say(f"downloading {package}")
    run(["apt-get", "-q", "download", package], cwd=directory, timeout=1800)
    (deb,) = directory.glob("*.deb")
    tree.mkdir()
    run(["sh", "-c", _UNPACK, deb, tree], timeout=1800)


def _make(how: Build, tree: Path, *words: str) -> None:
    log = tree / "build.log"
    setting = [f"ARCH={how.arch}", f"CROSS_COMPILE={how.cross}"]
    with log.open("wb") as out:
        command = ["make", "-s", *setting, *words]
        done = subprocess.run(
            command, cwd=tree, stdout=out, stderr=out, timeout=_BUILD_SECONDS, check=False
        )
    if done.returncode:
        last = log.read_text(errors="replace").strip().splitlines()[-3:]
        raise LabError(f"make {' '.join(words)}: {' | '.join(last)}")
