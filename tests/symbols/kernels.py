# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's kernels that have BTF, and their modules' BTF."""

from __future__ import annotations

from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from crashext.symbols.btf import Btf, Kind
from lab.packages import CACHE

VMLINUXES = sorted(CACHE.glob("vmlinux-*-cloud-*"))
#: Of the kernels that guests of every day run.
EACH_KERNEL = pytest.mark.parametrize(
    "vmlinux", VMLINUXES or [None], ids=lambda path: path.name[8:] if path else "none"
)


def btf_of(path: Path | None) -> bytes:
    """The section .BTF of a vmlinux or module; skips the test without one."""
    if path is None:
        pytest.skip("no lab kernels (make sample-dumps)")
    with path.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".BTF")
        return bytes(section.data()) if section else b""


#: One type of so many a function has for itself: drgn does not look it up by name.
LOCAL = 250


def needs_signs(btf: Btf) -> None:
    """Skips where BTF is less than DWARF: pahole before 1.24 tells no signs, nor 64 bits."""
    if not any(btf.type(i).flag for i in btf.ids(Kind.ENUM)):
        pytest.skip("an older pahole's enumerations have no signs")


def modules_of(vmlinux: Path) -> list[bytes]:
    """The BTF of the modules that the lab keeps of a kernel, each of it a split one.

    Before 5.11 modules have none.
    """
    folder = CACHE / f"modules-{vmlinux.name.removeprefix('vmlinux-')}"
    return [data for path in sorted(folder.glob("*.ko")) if (data := btf_of(path))]
