# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the crash plugin where crash's defs.h is, and leaves it out with a word where not.

``QEMUFIX_BRIDGE=0`` leaves it out, ``CRASH_INCLUDE`` says where defs.h is.
"""

import os
import subprocess
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
DEFS = Path(os.environ.get("CRASH_INCLUDE", "/usr/include/crash")) / "defs.h"


def why_not() -> str:
    """What stands in the way of building the plugin; empty if nothing does."""
    if os.environ.get("QEMUFIX_BRIDGE") == "0":
        return "QEMUFIX_BRIDGE=0"
    return "" if DEFS.is_file() else f"crash's header {DEFS} is not there"


def say(text: str) -> None:
    """Tell the user, on the terminal too where pip keeps the build's output to itself."""
    print(f"qemufix: {text}", file=sys.stderr)
    try:
        with Path("/dev/tty").open("w") as terminal:
            terminal.write(f"qemufix: {text}\n")
    except OSError:
        pass


class BuildWithPlugin(build_py):
    """Runs make for the plugin, which lies beside the modules, before they are collected."""

    def run(self) -> None:
        """Build the plugin, then collect the files."""
        reason = why_not()
        if not reason and subprocess.call(["make", "-s", "-C", str(HERE), "plugin"]) != 0:
            reason = "it did not compile (is a C compiler there?)"
        if reason:
            say(f"the crash plugin qemufix.so is left out: {reason}")
        if not reason:
            self.package_data["crashext"] = ["qemufix.so", "_host.so"]
        super().run()


class BinaryDistribution(Distribution):
    """The plugin is built for this machine's crash: the wheel is no pure one."""

    def has_ext_modules(self) -> bool:
        """Whether the plugin goes along."""
        return not why_not()


setup(cmdclass={"build_py": BuildWithPlugin}, distclass=BinaryDistribution)
