# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's kernels: found through the meta packages, unpacked, never installed.

What is kept in the cache of each kernel: ``vmlinuz-REL``, ``vmlinux-REL`` (with debug
information) and the few modules that the guest loads, uncompressed, in ``modules-REL/``.
A release names its architecture, so that all of them lie in one folder.
"""

from __future__ import annotations

import lzma
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import zstandard

from . import built_kernel
from .errors import LabError, Unavailable
from .packages import (
    CACHE,
    Apt,
    apt,
    backports,
    development_release,
    previous_release,
    store,
    unpack,
)
from .target import Target, Which
from .ubuntu import SERIES, ubuntu

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


#: What a module's name ends in, and how it is unpacked.
_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".xz": lzma.decompress,
    ".zst": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


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

    def complete(self, *, debug: bool = True) -> bool:
        """Whether everything is in the cache; without ``debug`` there need be no vmlinux."""
        there = self.vmlinuz.exists() and self.modules.is_dir()
        return there and (self.vmlinux.exists() or not debug)


def get_kernel(
    target: Target, which: Which, say: Callable[[str], None], *, debug: bool = True
) -> Kernel:
    """Debian's default kernel for guests, another one of its or our own build, unless cached.

    Without ``debug`` its debug package is left alone.

    Raises:
        LabError: there is no such package, or it can't be fetched or unpacked.
    """
    stamp = CACHE / _stamp(target, which)
    debug = debug and which not in target.without_debug
    if stamp.exists():
        kernel = Kernel(stamp.read_text().strip())
        if kernel.complete(debug=debug):
            say(f"kernel {kernel.release}: in the cache")
            return kernel
    if which in target.built:
        kernel = Kernel(built_kernel.build(target.built[which], CACHE, say))
    else:
        packages, release = _find(target, which)
        kernel = Kernel(release)
        if not kernel.complete(debug=debug):
            _fetch(packages, kernel, say, debug=debug)
    stamp.write_text(kernel.release + "\n")
    return kernel


def _stamp(target: Target, which: Which) -> str:
    """The file that says which release is meant."""
    return f"kernel-{which}" if target.arch == "x86_64" else f"kernel-{which}-{target.arch}"


def _find(target: Target, which: Which) -> tuple[Apt, str]:
    """The release of a kernel, and the apt that has it.

    Raises:
        Unavailable: none of the archives that may have one does.
    """
    own, meta = apt(target.debian), target.kernels[which]
    if which in SERIES:
        ubuntus = ubuntu(which, target.debian)
        return ubuntus, _release(ubuntus, meta)
    if which == "development":
        newest = development_release(target.debian)
        return newest, _release(newest, meta)
    if which == "older":
        before = previous_release(target.debian)
        return before, _release(before, meta)
    if which in ("other", "lpa2", "16k"):
        default = _series(_release(own, target.kernels["default"])) if which == "other" else None
        for packages, release in _every_series(target, meta):
            series = _series(release)
            # Linux 6.9, arch/arm64/Kconfig: 52-bit addresses with pages of 4 KiB.
            if series != default and (which != "lpa2" or series >= (6, 9)):
                return packages, release
        raise Unavailable(f"no archive has the {which} kernel for {target.debian}")
    try:
        return own, _release(own, meta)
    except Unavailable:  # Debian gives up an architecture now and then
        before = previous_release(target.debian)
        return before, _release(before, meta)


def _every_series(target: Target, meta: str) -> Iterator[tuple[Apt, str]]:
    """Kernels of a flavour: the newest that the own release has beside its default, that, and
    where there is one series only, those of the release before and of the backports.

    crash knows an older kernel, and may not know a newer one.
    """
    own = apt(target.debian)
    if beside := _newest_beside(own, meta):
        yield own, _release(own, beside)
    for place in (apt, previous_release, backports):
        try:
            packages = place(target.debian)
            yield packages, _release(packages, meta)
        except LabError:
            continue


def _newest_beside(packages: Apt, meta: str) -> str | None:
    """The meta package of the newest series that is not the default's; None if there is none."""
    flavour = re.escape(meta.removeprefix("linux-image-"))
    pattern = rf"linux-image-(\d+)\.(\d+)-{flavour}"
    versions = [re.fullmatch(pattern, name) for name in packages.names("linux-image-")]
    newest = max((([int(part) for part in v.groups()], v[0]) for v in versions if v), default=None)
    return newest and newest[1]


def _series(release: str) -> tuple[int, ...]:
    """The first two numbers of a kernel's release."""
    return tuple(int(part) for part in re.findall(r"\d+", release)[:2])


def _release(packages: Apt, meta: str) -> str:
    """What a meta package depends on, ``linux-image-RELEASE``, without the prefix."""
    flavour = re.sub(r"linux-image-(\d+\.\d+-)?", "", meta)
    depends = rf"^Depends:.*?linux-image-(\d[\w.+]*(?:-\d+)?-{flavour})(?![\w.+-])"
    if match := re.search(depends, packages.show(meta), re.M):
        return match[1]
    raise LabError(f"package {meta} depends on no kernel")


def _fetch(packages: Apt, kernel: Kernel, say: Callable[[str], None], *, debug: bool) -> None:
    image = f"linux-image-{kernel.release}"
    # Newer ones have the image and the modules in packages of their own.
    images = [image, *re.findall(
        rf"linux-(?:binary|modules)-{re.escape(kernel.release)}(?![\w.+-])", packages.show(image)
    )]  # fmt: skip
    wanted = [(package, _keep_image) for package in dict.fromkeys(images)]
    if debug:
        wanted.append((f"{image}-dbg", _keep_debug))
    kernel.modules.mkdir(parents=True, exist_ok=True)  # a kernel may have all of them built in
    for package, keep in wanted:
        say(f"kernel {kernel.release}: downloading {package}")
        deb = packages.download(package, kernel.cache / "debs")
        say(f"kernel {kernel.release}: unpacking {deb.name}")
        unpack(deb, partial(keep, kernel))
        deb.unlink()
    if not kernel.complete(debug=debug):
        raise LabError(f"kernel {kernel.release}: its packages lack vmlinuz or vmlinux")


def _keep_image(kernel: Kernel, name: str, data: IO[bytes]) -> None:
    base = name.rpartition("/")[2]
    release = re.escape(kernel.release)
    # ppc64le boots the ELF itself.
    if re.search(rf"/boot/vmlinu[xz]-{release}$|/lib/modules/{release}/vmlinu[xz]$", name):
        store(data, kernel.vmlinuz)
    module, dot, compression = base.partition(".ko")
    if dot and module.replace("-", "_") in MODULES:
        content = _UNPACK.get(compression, bytes)(data.read())
        (kernel.modules / f"{module.replace('-', '_')}.ko").write_bytes(content)


def _keep_debug(kernel: Kernel, name: str, data: IO[bytes]) -> None:
    places = (f"/boot/vmlinux-{kernel.release}", f"/lib/modules/{kernel.release}/vmlinux")
    if name.endswith(places):
        store(data, kernel.vmlinux)
