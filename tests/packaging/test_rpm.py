# SPDX-License-Identifier: GPL-3.0-or-later
"""The RPM spec, as rpmspec reads it for each family of distributions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .building import HEADER, ROOT

SPEC = ROOT / "packaging" / "rpm" / "qemufix.spec"
#: What each family's macros say of it, and what its package for crash is called.
FAMILIES = {
    "Fedora": (["fedora 42"], "crash-qemufix-command"),
    "RHEL 9": (["rhel 9"], "crash-qemufix-command"),
    "RHEL 10": (["rhel 10"], "crash-qemufix-command"),
    "SUSE": (["suse_version 1600"], "crash-qemufix"),
    "Debian": ([], "crash-qemufix-command"),
}


def _asked(macros: list[str], *what: str) -> set[str]:
    if shutil.which("rpmspec") is None:
        pytest.skip("there is no rpmspec (Debian's package rpm)")
    defines = [word for macro in macros for word in ("--define", macro)]
    # "pyproject_wheel" is what tells rpmbuilds with macros for Python from those without.
    defines += ["--define", "pyproject_wheel true"] if macros else []
    defines += ["--define", "python3_sitearch /usr/lib64/python3/site-packages"] if macros else []
    defines += ["--define", "__python3 /usr/bin/python3"] if macros else []
    command = ["rpmspec", "--query", *what, *defines, "--target", "x86_64", str(SPEC)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_packages_have_the_names_that_others_have_there(family: str) -> None:
    macros, plugin = FAMILIES[family]
    assert _asked(macros, "--queryformat", "%{name}\n") == {"qemufix", plugin}


@pytest.mark.parametrize(("family", "python"), [
    ("Fedora", "python3"), ("RHEL 9", "python3.12"), ("RHEL 10", "python3"), ("SUSE", "python3"),
])  # fmt: skip
def test_it_is_built_with_a_python_that_is_new_enough(family: str, python: str) -> None:
    needed = _asked(FAMILIES[family][0], "--buildrequires")
    assert {"crash-devel", "zlib-devel", f"{python}-devel", f"{python}-pip"} <= needed


@pytest.fixture(scope="module")
def root(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty root into which both packages were installed, built from the source archive."""
    if shutil.which("rpmbuild") is None or not HEADER.exists():
        pytest.skip("there is no rpmbuild, or no header of crash")
    folder = tmp_path_factory.mktemp("rpm")
    (folder / "SOURCES").mkdir()
    shutil.copy(sdist, folder / "SOURCES")
    build = ["rpmbuild", "-bb", "--nodeps", "--define", f"_topdir {folder}", str(SPEC)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    if "No module named" in done.stderr:
        pytest.skip("python3 lacks pip, setuptools or wheel (tools/setup.sh dist)")
    assert done.returncode == 0, done.stderr[-2000:]
    rpms = [str(path) for path in (folder / "RPMS").rglob("*.rpm")]
    rpm = ["rpm", "--root", str(folder / "root"), "--install", "--nodeps", *rpms]
    if os.geteuid() != 0:
        pytest.skip("rpm --root wants to be root")
    subprocess.run(rpm, check=True)
    return folder / "root"


def test_the_command_works_from_the_root(root: Path) -> None:
    modules = root / "usr/lib/python3/dist-packages"
    command = [sys.executable, str(root / "usr/bin/qemufix"), "detect"]
    dump = ROOT / "sample_dumps" / "early-setup.flat"
    done = subprocess.run(
        [*command, str(dump)], env={**os.environ, "PYTHONPATH": str(modules)},
        capture_output=True, text=True, check=False, cwd=root,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "written by QEMU" in done.stdout


def test_manual_and_completion_lie_where_they_are_looked_for(root: Path) -> None:
    share = root / "usr/share"
    assert list((share / "man/man1").glob("qemufix-report.1*"))
    assert (share / "bash-completion/completions/qemufix").exists()
    assert (share / "zsh/site-functions/_qemufix").exists()
    assert (share / "fish/vendor_completions.d/qemufix.fish").exists()


def test_crash_s_folder_has_the_plugin_beside_the_modules(root: Path) -> None:
    plugin = root / "usr/lib64/crash/extensions/qemufix.so"
    assert plugin.is_symlink()
    folder = root / "usr/lib/python3/dist-packages/crashext"
    assert plugin.resolve() == (folder / "qemufix.so").resolve()
    assert (folder / "_host.so").exists()
