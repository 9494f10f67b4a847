# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's cloud kernels: found through the meta packages, unpacked, never installed.

What is kept in the cache of each kernel: ``vmlinuz-REL``, ``vmlinux-REL`` (with debug
information) and the few modules that the guest loads, uncompressed, in ``modules-REL/``.
"""

from __future__ import annotations

import lzma
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Literal

from . import odd_kernel
from .errors import LabError, run

CACHE = Path(__file__).parent / "cache"

# In the order in which they have to be loaded; a kernel may have some built in.
MODULES = (
    "qemu_fw_cfg",
    "virtio",
    "virtio_ring",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "virtio_blk",
)

Which = Literal["default", "newer", "odd"]


@dataclass(frozen=True, slots=True)
class Kernel:
    """One unpacked kernel in the cache."""

    release: str
    cache: Path = CACHE

    @property
    def vmlinuz(self) -> Path:
        """The bootable image."""
        return self.cache / f"vmlinuz-{self.release}"

    @property
    def vmlinux(self) -> Path:
        """The ELF with debug information."""
        return self.cache / f"vmlinux-{self.release}"

    @property
    def modules(self) -> Path:
        """The directory of the few modules that the guest loads."""
        return self.cache / f"modules-{self.release}"

    @property
    def complete(self) -> bool:
        """Whether everything is in the cache."""
        return self.vmlinuz.exists() and self.vmlinux.exists() and self.modules.is_dir()


def get_kernel(which: Which, say: Callable[[str], None]) -> Kernel:
    """Debian's default cloud kernel, the newest other one or our own build, unless cached.

    Raises:
        LabError: there is no such package, or it can't be fetched or unpacked.
    """
    stamp = CACHE / f"kernel-{which}"
    if stamp.exists():
        kernel = Kernel(stamp.read_text().strip())
        if kernel.complete:
            say(f"kernel {kernel.release}: in the cache")
            return kernel
    if which == "odd":
        kernel = Kernel(odd_kernel.build(CACHE, say))
    else:
        kernel = Kernel(_release(_meta_package(which)))
        if not kernel.complete:
            _fetch(kernel, say)
    stamp.write_text(kernel.release + "\n")
    return kernel


def _meta_package(which: Which) -> str:
    """The package that depends on the newest build; ``newer`` carries a version in its name."""
    if which == "default":
        return "linux-image-cloud-amd64"
    names = run(["apt-cache", "pkgnames", "linux-image-"]).split()
    versions = [re.fullmatch(r"linux-image-(\d+)\.(\d+)-cloud-amd64", name) for name in names]
    newest = max(((int(v[1]), int(v[2]), v[0]) for v in versions if v), default=None)
    if newest is None:
        raise LabError("apt's index has no second cloud kernel (run `apt-get update`)")
    return newest[2]


def _release(meta: str) -> str:
    """What a meta package depends on, ``linux-image-RELEASE``, without the prefix."""
    try:
        text = run(["apt-cache", "show", meta])
    except LabError as unknown:
        raise LabError(f"apt's index lacks {meta} (run `apt-get update`)") from unknown
    if match := re.search(r"^Depends:.*?linux-image-([\w.+-]+-cloud-amd64)\b", text, re.M):
        return match[1]
    raise LabError(f"package {meta} depends on no kernel")


def _fetch(kernel: Kernel, say: Callable[[str], None]) -> None:
    debs = kernel.cache / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    for package, keep in (
        (f"linux-image-{kernel.release}", _keep_image),
        (f"linux-image-{kernel.release}-dbg", _keep_debug),
    ):
        say(f"kernel {kernel.release}: downloading {package}")
        run(["apt-get", "-q", "download", package], cwd=debs, timeout=1800)
        deb = _only(debs.glob(f"{package}_*.deb"), package)
        say(f"kernel {kernel.release}: unpacking {deb.name}")
        _unpack(deb, partial(keep, kernel))
        deb.unlink()
    if not kernel.complete:
        raise LabError(f"kernel {kernel.release}: its packages lack vmlinuz or vmlinux")


def _only(found: Iterator[Path], package: str) -> Path:
    debs = sorted(found)
    if not debs:
        raise LabError(f"{package}: apt-get downloaded nothing")
    return debs[-1]


def _unpack(deb: Path, keep: Callable[[str, IO[bytes]], None]) -> None:
    """Hand each regular file of a package to ``keep``, nothing touches the disk otherwise."""
    command = ["dpkg-deb", "--fsys-tarfile", str(deb)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as unpacker:
        assert unpacker.stdout is not None
        with tarfile.open(fileobj=unpacker.stdout, mode="r|") as tar:
            for member in tar:
                data = tar.extractfile(member) if member.isreg() else None
                if data is not None:
                    keep(member.name, data)
    if unpacker.returncode:
        raise LabError(f"{deb}: dpkg-deb can't unpack it (exit status {unpacker.returncode})")


def _keep_image(kernel: Kernel, name: str, data: IO[bytes]) -> None:
    base = name.rpartition("/")[2]
    if name.endswith(f"/boot/vmlinuz-{kernel.release}"):
        _store(data, kernel.vmlinuz)
    module, dot, compression = base.partition(".ko")
    if dot and module.replace("-", "_") in MODULES:
        content = lzma.decompress(data.read()) if compression == ".xz" else data.read()
        kernel.modules.mkdir(exist_ok=True)
        (kernel.modules / f"{module.replace('-', '_')}.ko").write_bytes(content)


def _keep_debug(kernel: Kernel, name: str, data: IO[bytes]) -> None:
    if name.endswith(f"/boot/vmlinux-{kernel.release}"):
        _store(data, kernel.vmlinux)


def _store(data: IO[bytes], path: Path) -> None:
    """Write under another name first: an interrupted run leaves no half file behind."""
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as out:
        shutil.copyfileobj(data, out, 1 << 20)
    partial.replace(path)
