# SPDX-License-Identifier: GPL-3.0-or-later
"""The BTF of real kernels, and the DWARF of the same kernels, which drgn reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crashext.symbols.btf import Btf, Kind

from .drgn_types import named, of_btf, of_drgn, program
from .kernels import EACH_KERNEL, LOCAL, btf_of, modules_of, needs_signs

pytestmark = pytest.mark.lab


@EACH_KERNEL
def test_every_named_type_is_dwarfs(vmlinux: Path) -> None:
    btf = Btf(btf_of(vmlinux))
    btf.check()
    needs_signs(btf)
    prog = program(vmlinux)
    compared, local = 0, 0
    for name, ids in named(btf).items():
        try:
            wanted = of_drgn(prog.type(name))
        except (LookupError, SyntaxError):  # "unsigned __int128" is no name in drgn
            local += 1
            continue
        # Names are not unique: two files may each have a structure of their own.
        assert wanted in [of_btf(btf, i) for i in ids], name
        compared += 1
    assert compared > 10_000
    assert local * LOCAL < compared


@EACH_KERNEL
def test_questions_by_name(vmlinux: Path) -> None:
    btf = Btf(btf_of(vmlinux))
    needs_signs(btf)
    prog = program(vmlinux)
    for name, path in (("task_struct", "comm"), ("task_struct", "se.vruntime"), ("page", "lru"),
                       ("mm_struct", "pgd"), ("module", "name"), ("kset", "kobj.name"),
                       ("list_head", "prev"), ("atomic_t", "counter")):  # fmt: skip
        tag = "" if name.endswith("_t") else "struct "
        assert btf.offset(name, path) == offset_in_drgn(prog.type(tag + name), path), path
    for name in ("task_struct", "pid", "fpregs_state", "page", "net"):
        if btf.find(name, Kind.STRUCT):
            assert btf.sizeof(name) == prog.type(f"struct {name}").size
    assert btf.sizeof("pid_t") == 4
    for name in ("NR_VM_ZONE_STAT_ITEMS", "NR_VM_NODE_STAT_ITEMS", "MODULE_STATE_UNFORMED",
                 "BPF_F_CTXLEN_MASK", "PERF_EVENT_STATE_DEAD"):  # fmt: skip
        assert btf.enumerator(name) == prog.constant(name).value_(), name
    assert {"runqueues", "cpu_number"} & {variable.name for variable in btf.variables()}
    assert sum(1 for _ in btf.functions()) > 30_000


def offset_in_drgn(this: Any, path: str) -> int:
    import drgn

    return int(drgn.offsetof(this, path))


@EACH_KERNEL
def test_modules(vmlinux: Path) -> None:
    base, modules = Btf(btf_of(vmlinux)), modules_of(vmlinux)
    if not modules:
        pytest.skip("modules have types since 5.11")
    for data in modules:
        btf = Btf(data, base)
        btf.check()
        assert 0 < len(btf) < len(base)
        assert btf.sizeof("task_struct") == base.sizeof("task_struct")
        for i in range(btf.first, btf.end):
            btf.type(i)
    names = {f.name for data in modules for f in Btf(data, base).functions()}
    assert "virtblk_probe" in names
