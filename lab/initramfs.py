# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest's whole userland: busybox, our /init and what a scenario adds."""

from __future__ import annotations

import gzip
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from .cpio import Cpio
from .errors import LabError, run
from .kernels import MODULES, Kernel
from .packages import busybox
from .target import Target

GUEST = Path(__file__).parent / "guest"
# Of every architecture; the others are its target's.
_SYMBOLS = (
    *("_text", "_stext", "_etext", "_end", "linux_banner", "vmcoreinfo_data", "init_uts_ns"),
    *("saved_command_line", "__start_notes", "__per_cpu_offset", "kallsyms_names"),
)


def build(
    target: Target,
    *,
    kernels: tuple[Kernel, ...],
    programs: tuple[str, ...] = (),
    files: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return an initramfs that serves any of ``kernels``.

    Args:
        programs: tools of this machine to take along with their shared libraries.
        files: more files, by their path in the guest.
    """
    archive = Cpio()
    for directory in ("bin", "dev", "proc", "sys", "tmp"):
        archive.directory(directory)
    archive.character_device("dev/console", 5, 1)
    if target.busybox:
        archive.file("bin/busybox", busybox(target.debian).read_bytes())
        archive.file("init", (GUEST / "init").read_bytes())
    else:
        archive.file("init", compiled("init", target))
    for action in sorted((GUEST / "action").glob("*")):
        archive.file(f"action/{action.name}", action.read_bytes())
    archive.file("symbols", "|".join(symbols(target)).encode())
    archive.file("modules/order", "\n".join((*MODULES, "")).encode())
    for kernel in kernels:
        for module in sorted(kernel.modules.glob("*.ko")):
            archive.file(f"modules/{kernel.release}/{module.name}", module.read_bytes())
    for path in sorted({path for name in programs for path in _with_libraries(_tool(name))}):
        archive.file(str(path).lstrip("/"), path.read_bytes())
    for name, data in (files or {}).items():
        archive.file(name.lstrip("/"), data)
    return gzip.compress(bytes(archive), compresslevel=1, mtime=0)


def symbols(target: Target) -> tuple[str, ...]:
    """The symbols that a guest tells the addresses of, as far as its kallsyms shows them."""
    return *_SYMBOLS, *target.symbols


def compiled(name: str, target: Target) -> bytes:
    """A program of lab/guest, built to run without libraries."""
    cross = next((how.cross for how in target.built.values()), "")
    with TemporaryDirectory(prefix="lab-") as directory:
        out = Path(directory) / name
        source = GUEST / f"{name}.c"
        run([_tool(f"{cross}gcc"), "-static", "-O1", "-Wall", "-Werror", "-o", out, source])
        return out.read_bytes()


def _tool(name: str) -> Path:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        raise LabError(f"{name}: not installed (run `make setup`)")
    return Path(found)


def _with_libraries(program: Path) -> set[Path]:
    """A program and the libraries that ldd lists for it, loader included."""
    return {program, *(Path(name) for name in re.findall(r"(/\S+) \(0x", run(["ldd", program])))}
