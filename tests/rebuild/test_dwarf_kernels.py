# SPDX-License-Identifier: GPL-3.0-or-later
"""DWARF made from real kernels' BTF, beside the DWARF that their compiler wrote."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from crashext.rebuild.shape import Shape, Variable
from crashext.symbols.btf import Btf
from tests.symbols.drgn_types import named, of_drgn, program
from tests.symbols.kernels import (
    EACH_KERNEL,
    LOCAL,
    VMLINUXES,
    btf_of,
    modules_of,
    needs_signs,
)

from .dwarf_elf import write_elf
from .test_dwarf import gdb, made, placed

pytestmark = pytest.mark.lab
#: What gdb prints of the compiler's DWARF and of ours is compared for these.
PRINTED = (
    *("ptype/o struct net_device", "ptype struct task_struct", "ptype struct sk_buff"),
    *("ptype struct file_operations", "ptype/o struct zone"),
    *("ptype enum zone_stat_item", "whatis schedule", "whatis sprintf"),
)
#: A last member [0] of a structure is the one thing that is written as another, [].
EMPTY = "extended_state_area"


def with_modules(vmlinux: Path) -> list[Btf]:
    kernel = Btf(btf_of(vmlinux))
    return [kernel, *(Btf(data, kernel) for data in modules_of(vmlinux))]


def per_cpu(btf: Btf) -> Iterator[Variable]:
    for variable in btf.variables():
        yield Variable(variable.name, Shape((), variable.type_id), variable.offset)


@EACH_KERNEL
def test_every_named_type_is_the_compilers(vmlinux: Path, tmp_path: Path) -> None:
    btfs = with_modules(vmlinux)
    needs_signs(btfs[0])
    rebuilt = program(write_elf(tmp_path / "vmlinux", made(btfs)))
    real = program(vmlinux)
    compared, local = 0, 0
    for name, ids in named(btfs[0]).items():
        try:
            wanted = of_drgn(real.type(name))
        except (LookupError, SyntaxError):
            local += 1
            continue
        got = of_drgn(rebuilt.type(name))
        assert got == wanted or len(ids) > 1, name
        compared += 1
    assert local * LOCAL < compared


@pytest.mark.parametrize("vmlinux", VMLINUXES[:1], ids=lambda path: path.name[8:])
def test_readers_have_nothing_to_complain_of(vmlinux: Path, tmp_path: Path) -> None:
    btfs = with_modules(vmlinux)
    variables = list(per_cpu(btfs[0]))
    info = made(btfs, variables, placed(btfs[0]))
    path = write_elf(tmp_path / "vmlinux", info)
    done = subprocess.run(
        ["readelf", "--debug-dump=info", path],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert done.stderr == b""
    with path.open("rb") as file:
        (unit,) = ELFFile(file).get_dwarf_info().iter_CUs()
        dies = list(unit.iter_DIE_children(unit.get_top_DIE()))
    others = len(dies) - info.types - info.globals - len(placed(btfs[0]))
    assert 0 <= others < 50  # arrays [0], integers of enumerations
    offsets = {die.offset for die in dies}
    types = (die.attributes.get("DW_AT_type") for die in dies)
    assert {each.value for each in types if each} <= offsets


@pytest.mark.skipif(not VMLINUXES, reason="no lab kernels (make sample-dumps)")
def test_gdb_prints_the_same(tmp_path: Path) -> None:
    vmlinux = VMLINUXES[0]
    btf = Btf(btf_of(vmlinux))
    functions = [f for f in placed(btf) if f.name in ("schedule", "vfs_read", "sprintf")]
    path = write_elf(tmp_path / "vmlinux", made([btf], list(per_cpu(btf)), functions))
    ours, theirs = (gdb(each, *PRINTED).splitlines() for each in (path, vmlinux))
    assert len(ours) > 500
    assert [line for line in ours if EMPTY not in line] == [
        line for line in theirs if EMPTY not in line
    ]
