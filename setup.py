# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the crash plugin where crash's defs.h is, and leaves it out with a word where not.

``QEMUFIX_BRIDGE=0`` leaves it out, ``CRASH_INCLUDE`` says where defs.h is, ``PLUGIN_PYTHON``
which Python the plugin starts.  The same sources give the same bytes, whenever and wherever.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # before setuptools 70.1
    from wheel.bdist_wheel import bdist_wheel

HERE = Path(__file__).parent
DEFS = Path(os.environ.get("CRASH_INCLUDE", "/usr/include/crash")) / "defs.h"
#: Both go beside the modules; the second is loaded by the first.
PLUGIN = {"SHIM": "qemufix.so", "HOST": "_host.so"}

#: pip keeps the wheel that it made before, without the plugin.
AGAIN = (
    "to have it, install crash with its header, a C compiler and make, then qemufix again with "
    "pip's --force-reinstall --no-cache-dir --no-binary qemufix"
)


def why_not() -> str:
    """What stands in the way of building the plugin; empty if nothing does."""
    if os.environ.get("QEMUFIX_BRIDGE") == "0":
        return "QEMUFIX_BRIDGE=0 was set"
    if not DEFS.is_file():
        return f"crash's header {DEFS} was not there"
    lacking = [name for name in ("make", os.environ.get("CC", "cc")) if not shutil.which(name)]
    return f"{lacking[0]} was not there" if lacking else ""


def build_plugin(folder: Path) -> str:
    """Have make build the plugin into ``folder``, whatever lies elsewhere; why it did not."""
    parts = {variable: str(folder.absolute() / name) for variable, name in PLUGIN.items()}
    command = ["make", "-s", "-B", "-C", str(HERE), "-f", "bridge/build.mk"]
    command += [f"{variable}={path}" for variable, path in parts.items()]
    python = os.environ.get("PLUGIN_PYTHON", sys.executable)
    done = subprocess.call([*command, *parts.values()], env={**os.environ, "PLUGIN_PYTHON": python})
    return "" if done == 0 else "it did not compile (pip -v shows why)"


def say(text: str) -> None:
    """Tell the user, on the terminal too where pip keeps the build's output to itself."""
    print(f"qemufix: {text}", file=sys.stderr)
    try:
        with Path("/dev/tty").open("w") as terminal:
            terminal.write(f"qemufix: {text}\n")
    except OSError:
        pass


class BuildWithPlugin(build_py):
    """Collects the modules and nothing that an earlier build has left, then builds the plugin."""

    def run(self) -> None:
        """Fill the build folder."""
        folder = Path(self.build_lib) / "crashext"
        if not self.editable_mode:
            shutil.rmtree(folder, ignore_errors=True)
        super().run()
        folder = HERE / "crashext" if self.editable_mode else folder
        reason = why_not() or build_plugin(folder)
        if reason:
            say(f"the crash plugin qemufix.so is left out: {reason}")
        if reason and not self.editable_mode:
            # `qemufix --version` says it, also to who had no terminal.
            (folder / "plugin-left-out").write_text(f"{reason}; {AGAIN}\n", encoding="utf-8")


class PluginDistribution(Distribution):
    """The plugin is built for this machine's crash: the wheel is no pure one."""

    def has_ext_modules(self) -> bool:
        """Whether the plugin goes along."""
        return not why_not()


def release_time() -> int:
    """When this version was made, in seconds since 1970: by the CHANGELOG, unless told."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return int(os.environ["SOURCE_DATE_EPOCH"])
    text = (HERE / "CHANGELOG.md").read_text(encoding="utf-8")
    day = re.search(r"^## [0-9.]+ \((\d{4}-\d\d-\d\d)\)$", text, re.MULTILINE)
    if not day:
        raise SystemExit("CHANGELOG.md names no version with its day")
    return int(datetime.fromisoformat(day[1]).replace(tzinfo=UTC).timestamp())


class Wheel(bdist_wheel):
    """A wheel for any Python 3, since the plugin starts one and links none."""

    def get_tag(self) -> tuple[str, str, str]:
        """The tag: the machine counts where the plugin is in."""
        platform: str = super().get_tag()[2]
        return "py3", "none", platform

    def write_wheelfile(self, *args: object, **kwargs: object) -> None:
        """All files are there now: have their modes say nothing of the builder's umask."""
        super().write_wheelfile(*args, **kwargs)
        for path in Path(self.bdist_dir).rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)


class SourceArchive(sdist):
    """A .tar.gz without traces of who made it, where and when."""

    def make_archive(self, base_name: str, format: str, base_dir: str = "", **_: object) -> str:
        """Write the archive of the folder ``base_dir`` and return its path."""
        if format != "gztar" or not base_dir:
            raise SystemExit("an sdist of qemufix is a .tar.gz")
        path = f"{base_name}.tar.gz"
        with (
            Path(path).open("wb") as file,
            gzip.GzipFile("", "wb", 9, file, mtime=release_time()) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
        ):
            for each in sorted([Path(base_dir), *Path(base_dir).rglob("*")]):
                tar.add(each, recursive=False, filter=anonymous)
        return path


def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """An archive's member that belongs to nobody in particular."""
    member.mtime = release_time()
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member


os.environ.setdefault("SOURCE_DATE_EPOCH", str(release_time()))
setup(
    cmdclass={"build_py": BuildWithPlugin, "bdist_wheel": Wheel, "sdist": SourceArchive},
    distclass=PluginDistribution,
)
