# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the sdist and the wheels, and that it is the same whoever builds it."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

import crashext
from crashext.cli.plugin_file import plugin_text

from .building import GENERATED, STALE, WITHOUT_CRASH, build, copy_sources, source_files

NAME = f"qemufix-{crashext.__version__}"
PLUGIN = ["crashext/_host.so", "crashext/qemufix.so"]


def libraries(wheel: Path) -> list[str]:
    return sorted(name for name in ZipFile(wheel).namelist() if ".so" in name)


def test_the_sdist_holds_the_sources_and_nothing_else(sdist: Path) -> None:
    assert sdist.name == f"{NAME}.tar.gz"
    with tarfile.open(sdist) as archive:
        files = [member for member in archive.getmembers() if member.isfile()]
    names = sorted(member.name.removeprefix(f"{NAME}/") for member in files)
    assert [name for name in names if not name.startswith(GENERATED)] == source_files()
    runs = {member.name.removeprefix(f"{NAME}/") for member in files if member.mode & 0o100}
    assert {"tools/setup.sh", "debian/rules", ".ci/run"} <= runs


def test_without_crash_the_wheel_is_pure_and_says_why(pure_wheel: Path) -> None:
    assert pure_wheel.name == f"{NAME}-py3-none-any.whl"
    assert libraries(pure_wheel) == []
    with ZipFile(pure_wheel) as wheel:
        assert b"Root-Is-Purelib: true" in wheel.read(f"{NAME}.dist-info/WHEEL")
        assert b"/nonexistent/defs.h was not there" in wheel.read("crashext/plugin-left-out")
        assert "crashext/removed_since.py" not in wheel.namelist()
        page = {
            f"crashext/report/page/files/{name}" for name in ("page.html", "page.css", "zoom.js")
        }
        assert page <= set(wheel.namelist())
        shared = f"{NAME}.data/data/share"
        assert {
            f"{shared}/man/man1/qemufix.1",
            f"{shared}/man/man1/qemufix-cache-clean.1",
            f"{shared}/bash-completion/completions/qemufix",
            f"{shared}/zsh/site-functions/_qemufix",
            f"{shared}/fish/vendor_completions.d/qemufix.fish",
        } <= set(wheel.namelist())


def test_the_plugin_in_a_wheel_is_built_for_this_crash_and_any_python(
    plugin_wheel: Path, tmp_path: Path
) -> None:
    machine = os.uname().machine
    assert plugin_wheel.name == f"{NAME}-py3-none-linux_{machine}.whl"
    assert libraries(plugin_wheel) == PLUGIN
    with ZipFile(plugin_wheel) as wheel:
        assert "crashext/plugin-left-out" not in wheel.namelist()
        wheel.extractall(tmp_path)
        for name in PLUGIN:
            data = wheel.read(name)
            assert STALE not in data
            assert needed(data) == ["libc.so.6"], "an own Python would tie it to one"
    asked = subprocess.run(["crash", "--version"], capture_output=True, text=True, check=False)
    version = asked.stdout.partition("crash ")[2].split()[0]
    assert plugin_text(tmp_path / "crashext").endswith(f"qemufix.so, for crash {version}")


def needed(library: bytes) -> list[str]:
    """The libraries that a shared object is linked with."""
    section = ELFFile(io.BytesIO(library)).get_section_by_name(".dynamic")
    assert isinstance(section, DynamicSection)
    return [
        str(vars(tag)["needed"]) for tag in section.iter_tags() if tag.entry.d_tag == "DT_NEEDED"
    ]


def test_built_twice_it_is_the_same(
    sources: Path, sdist: Path, pure_wheel: Path, plugin_wheel: Path, tmp_path: Path
) -> None:
    again = copy_sources(tmp_path / "another" / "place", sources)
    for path in again.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
        os.utime(path, (1e9, 1e9))
    elsewhere = {"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}

    def digest(path: Path) -> tuple[str, str]:
        return path.name, hashlib.sha256(path.read_bytes()).hexdigest()

    def built(what: str, name: str, environ: Mapping[str, str] = {}) -> Path:
        return build(what, again, tmp_path / name, {**elsewhere, **environ}, umask=0o077)

    assert digest(built("sdist", "sdist")) == digest(sdist)
    assert digest(built("wheel", "pure", WITHOUT_CRASH)) == digest(pure_wheel)
    assert digest(built("wheel", "plugin")) == digest(plugin_wheel)
