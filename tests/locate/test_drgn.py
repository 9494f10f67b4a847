# SPDX-License-Identifier: GPL-3.0-or-later
"""drgn opens arm64 dumps that it takes for a program's core, once it has the VMCOREINFO found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import crashext
from crashext.locate import locate

drgn = pytest.importorskip("drgn")

LAB = Path(__file__).parents[2] / "lab" / "dumps"
TRUTHS = {path: json.loads(path.read_text()) for path in sorted(LAB.glob("arm64-*.json"))}
#: The ELF dumps of guests that had come up, with the vmlinux that lets drgn name their types.
DUMPS = [
    pytest.param(
        LAB / name, truth, id=name, marks=pytest.mark.arch if truth["group"] == "arch" else ()
    )
    for path, truth in TRUTHS.items()
    for name in truth["dumps"]
    # Those that the lab builds have no VMCOREINFO.
    if name.endswith(".elf") and truth["found"] and truth["vmlinuxes"] and truth["group"] != "built"
]


@pytest.mark.lab
@pytest.mark.parametrize(("path", "truth"), DUMPS)
def test_drgn_lists_the_tasks(path: Path, truth: dict[str, Any]) -> None:
    with crashext.open_dump(str(path)) as dump:
        if any("memory lies" in warning for warning in dump.warnings):
            pytest.skip("drgn reads memory where the program headers say")
        text = locate(dump).vmcoreinfo
    assert text is not None
    program = drgn.Program(vmcoreinfo=text.encode())
    program.set_core_dump(str(path))
    program.load_debug_info([str(path.parent / truth["vmlinuxes"][0])])
    from drgn.helpers.linux.pid import for_each_task

    tasks = {int(t.pid): t.comm.string_().decode() for t in for_each_task(program)}
    assert (tasks[1], tasks[2]) == ("init", "kthreadd")
    assert len(tasks) > 20


@pytest.mark.lab
@pytest.mark.parametrize(("path", "truth"), DUMPS[:1])
def test_alone_it_refuses_them(path: Path, truth: dict[str, Any]) -> None:
    program = drgn.Program()
    with pytest.raises(Exception, match="NT_AUXV"):
        program.set_core_dump(str(path))
        program.load_debug_info([str(path.parent / truth["vmlinuxes"][0])])
        program["init_task"].comm.string_()
