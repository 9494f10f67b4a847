# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages of any architecture: found and downloaded, never installed.

A foreign architecture has an apt of its own in the lab's cache, with the machine's own
sources: the machine's apt knows nothing of it, and an index that can't be read does not
touch the machine's own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from .errors import LabError, Unavailable, run

CACHE = Path(__file__).parent / "cache"
_INDEX_SECONDS = 24 * 3600
#: Debian's releases, and what came after each.
_NEXT = {"bookworm": "trixie"}
#: What came before each.
_PREVIOUS = {"bookworm": "bullseye", "trixie": "bookworm", "forky": "trixie", "sid": "trixie"}
_BACKPORTS = {name: f"{name}-backports" for name in ("bookworm", "trixie")}
#: The release that never comes out, which has the newest kernels, in place of any other.
_DEVELOPMENT = dict.fromkeys(("bookworm", "trixie", "forky", "sid"), "sid")
# The fields of a source that hold for every architecture.
_FIELDS = ("REPO_URI", "RELEASE", "COMPONENT", "CREATED_BY", "SIGNED_BY")
_CONFIG = """\
APT::Architecture "{debian}";
APT::Architectures {{ "{debian}"; }};
Dir::State "{directory}";
Dir::State::lists "{directory}/lists";
Dir::State::status "{directory}/status";
Dir::Cache "{directory}/cache";
Dir::Etc::sourcelist "{directory}/sources.list";
Dir::Etc::sourceparts "{directory}/parts";
Acquire::Languages "none";
"""
#: The development release's index is signed but may be past its date.
_NO_DATE = 'Acquire::Check-Valid-Until "false";\n'


@dataclass(frozen=True, slots=True)
class Apt:
    """The packages of one architecture; without ``config`` those of the machine's own apt."""

    debian: str
    config: Path | None = None

    def names(self, prefix: str) -> list[str]:
        """The packages whose names start with ``prefix``."""
        return self._run("apt-cache", "pkgnames", prefix).split()

    def show(self, package: str) -> str:
        """What the index says of a package, in the version that would be installed.

        Raises:
            LabError: it is not in the index.
        """
        try:
            said = self._run("apt-cache", "show", "--no-all-versions", package)
        except LabError as unknown:
            raise self.lacks(package) from unknown
        if not said.strip():  # others depend on it, no archive has it
            raise self.lacks(package)
        return said

    def download(self, package: str, directory: Path) -> Path:
        """Download a package into ``directory``; return the file.

        Raises:
            LabError: it can't be had.
        """
        directory.mkdir(parents=True, exist_ok=True)
        try:
            self._run("apt-get", "-q", "download", package, cwd=directory, timeout=1800)
        except LabError as error:
            raise self._problem(f"{package} can't be downloaded: {error}") from error
        debs = sorted(directory.glob(f"{package}_*.deb"))
        if not debs:
            raise self._problem(f"{package}: apt-get downloaded nothing")
        return debs[-1]

    def download_whole(self, packages: Sequence[str], directory: Path) -> list[Path]:
        """Download packages with all that they depend on into a new ``directory``.

        Raises:
            LabError: one can't be had.
        """
        (directory / "partial").mkdir(parents=True)
        settings = (
            "Dir::State::status=/dev/null",  # as if nothing was installed
            f"Dir::Cache::archives={directory}",
            "Debug::NoLocking=1",
        )
        command = ["apt-get", "-q", "-y", "--download-only", "--no-install-recommends"]
        command += [f"--option={setting}" for setting in settings]
        try:
            self._run(*command, "install", *packages, timeout=1800)
        except LabError as error:
            raise self._problem(f"{' '.join(packages)} can't be downloaded: {error}") from error
        return sorted(directory.glob("*.deb"))

    def lacks(self, package: str) -> LabError:
        """The error that says so."""
        return self._problem(f"apt's index for {self.debian} lacks {package}")

    def _problem(self, text: str) -> LabError:
        """A foreign package may be out of reach today; the machine's own may not."""
        return Unavailable(text) if self.config else LabError(f"{text} (run `apt-get update`)")

    def _run(self, *command: str, cwd: Path | None = None, timeout: float = 600) -> str:
        setting = [f"APT_CONFIG={self.config}"] if self.config else []
        return run(["env", *setting, *command], cwd=cwd, timeout=timeout)


def own_architecture() -> str:
    """This machine's, by Debian's name."""
    return run(["dpkg", "--print-architecture"]).strip()


@cache
def apt(debian: str, directory: Path = CACHE / "apt") -> Apt:
    """The apt for one of Debian's architectures; a foreign one's index is made when needed.

    Raises:
        LabError: this machine's own apt can't be asked for its sources.
    """
    if debian == own_architecture():
        return Apt(debian)
    return own_apt(directory / debian, debian, sources(_index_targets(), debian))


@cache
def next_release(directory: Path = CACHE / "apt") -> Apt:
    """The apt for this machine's architecture of the release after the machine's own.

    Raises:
        Unavailable: this machine's is none that is known to have a next one.
    """
    debian = own_architecture()
    lines = of_other_release(sources(_index_targets(), debian), _NEXT)
    if not lines:
        raise Unavailable(f"none of apt's sources has a next release ({', '.join(_NEXT)} have)")
    return own_apt(directory / f"{debian}-next", debian, lines)


@cache
def previous_release(debian: str, directory: Path = CACHE / "apt") -> Apt:
    """The apt of the release before the machine's own, for one of Debian's architectures.

    Raises:
        Unavailable: this machine's is none that is known to have one.
    """
    return _of_others(directory / f"{debian}-previous", debian, _PREVIOUS)


@cache
def backports(debian: str, directory: Path = CACHE / "apt") -> Apt:
    """The apt of the backports to the machine's own release alone.

    Raises:
        Unavailable: this machine's is none that is known to have any.
    """
    return _of_others(directory / f"{debian}-backports", debian, _BACKPORTS)


def _of_others(own: Path, debian: str, others: Mapping[str, str]) -> Apt:
    lines = of_other_release(sources(_index_targets(), debian), others)
    if not lines:
        raise Unavailable(f"none of apt's sources is of {', '.join(others)}")
    return own_apt(own, debian, lines)


@cache
def development_release(debian: str, directory: Path = CACHE / "apt") -> Apt:
    """The apt of the development release for one of Debian's architectures.

    Raises:
        Unavailable: none of the machine's own sources is of a known release.
    """
    lines = of_other_release(sources(_index_targets(), debian), _DEVELOPMENT)
    if not lines:
        raise Unavailable(f"none of apt's sources is of Debian ({', '.join(_DEVELOPMENT)})")
    return own_apt(directory / f"{debian}-development", debian, lines, more=_NO_DATE)


def of_other_release(lines: str, others: Mapping[str, str]) -> str:
    """The sources of ``lines`` with their releases replaced; those not in ``others`` left out."""
    words = [line.split(" ") for line in lines.splitlines()]
    replaced = (
        " ".join([*line[:-2], others[line[-2]], line[-1]]) + "\n"
        for line in words
        if line[-2] in others
    )
    return "".join(dict.fromkeys(replaced))


def own_apt(own: Path, debian: str, lines: str, *, more: str = "") -> Apt:
    """An apt of its own in a folder, whose index is read once a day."""
    config = own / "apt.conf"
    if not _is_fresh(own / "updated"):
        for part in ("lists/partial", "cache/archives/partial", "parts"):
            (own / part).mkdir(parents=True, exist_ok=True)
        (own / "status").touch()
        (own / "sources.list").write_text(lines)
        config.write_text(_CONFIG.format(debian=debian, directory=own) + more)
        _update(config)
        (own / "updated").touch()
    return Apt(debian, config)


def sources(targets: str, debian: str) -> str:
    """One-line sources for ``debian``, from the machine's own as ``_index_targets`` lists them."""
    lines: list[str] = []
    for target in dict.fromkeys(targets.splitlines()):
        uri, release, component, index, signed_by = target.split("|")
        if index != "Packages":
            continue
        # What a source does not say is left as the name of the field.
        key = "" if "$(" in signed_by or not signed_by else f" signed-by={signed_by}"
        lines.append(f"deb [arch={debian}{key}] {uri} {release} {component}\n")
    return "".join(dict.fromkeys(lines))


def _index_targets() -> str:
    fields = "|".join(f"$({name})" for name in _FIELDS)
    return run(["apt-get", "indextargets", "--format", fields])


def _is_fresh(stamp: Path) -> bool:
    return stamp.exists() and time.time() - stamp.stat().st_mtime < _INDEX_SECONDS


def _update(config: Path) -> None:
    """Read what can be read: of an index that fails apt keeps the other parts."""
    try:
        run(["env", f"APT_CONFIG={config}", "apt-get", "-q", "update"], timeout=600)
    except LabError:
        return  # whether a package is missing is seen when it is asked for


def unpack(deb: Path, keep: Callable[[str, IO[bytes]], None]) -> None:
    """Hand each regular file of a package to ``keep``, nothing touches the disk otherwise.

    Raises:
        LabError: it is no package.
    """
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


def store(data: IO[bytes], path: Path) -> None:
    """Write under another name first: an interrupted run leaves no half file behind."""
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as out:
        shutil.copyfileobj(data, out, 1 << 20)
    partial.replace(path)


def busybox(debian: str) -> Path:
    """The shell and tools of a guest: one program without libraries.

    Raises:
        LabError: the package can't be had.
    """
    own = shutil.which("busybox", path="/usr/sbin:/usr/bin:/sbin:/bin")
    there = apt(debian)
    if there.config is None:
        if own is None:
            raise LabError("busybox: not installed (run `make setup`)")
        return Path(own)
    program = CACHE / f"busybox-{debian}"
    if not program.exists():
        deb = there.download("busybox-static", CACHE / "debs")

        def keep(name: str, data: IO[bytes]) -> None:
            if re.fullmatch(r"(\./)?(usr/)?bin/busybox", name):
                store(data, program)

        unpack(deb, keep)
        deb.unlink()
    return program
