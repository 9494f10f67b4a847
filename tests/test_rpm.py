# SPDX-License-Identifier: GPL-3.0-or-later
"""The RPM spec, as rpmspec reads it for each family of distributions."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import crashext

SPEC = Path(__file__).parents[1] / "packaging" / "rpm" / "qemufix.spec"
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


def test_the_version_is_the_package_s() -> None:
    version = re.search(r"^Version: +(\S+)$", SPEC.read_text(), re.MULTILINE)
    assert version is not None
    assert version[1] == crashext.__version__


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
