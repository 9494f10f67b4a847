# SPDX-License-Identifier: GPL-3.0-or-later
"""The table against the debug information of real kernels, without and with their own share."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from crashext.rebuild.globals import globals_of
from crashext.rebuild.globals.expression import Expression, Length
from crashext.rebuild.globals.names import Names
from crashext.rebuild.globals.table import Source, Table, series_of, table
from crashext.rebuild.shape import Shape, Variable
from lab.debug_kernel import DebugKernel
from lab.global_table import collect, merge

CACHE = Path(__file__).parents[3] / "lab" / "cache"
#: What crash asks gdb for the type of.
CRASH = {
    *("__per_cpu_offset", "dmi_ident", "hstates", "major_names", "mem_section", "node_data"),
    *("node_states", "pageflag_names", "softirq_vec", "swap_info", "sys_call_table"),
    *("taint_flags", "task_state_array", "vm_node_stat", "vm_zone_stat"),
}
#: Of the series that the table was made from.
KERNELS = sorted(
    path
    for arch, pattern in (("x86_64", "vmlinux-*-cloud-amd64"), ("aarch64", "vmlinux-*-cloud-arm64"))
    for path in CACHE.glob(pattern)
    if Source(arch, series_of(path.name.partition("-")[2])) in table().sources
)

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(len(KERNELS) < 2, reason="no debug kernels in lab/cache"),
]


@cache
def debug_kernel(path: Path) -> DebugKernel:
    return DebugKernel(path)


def variables(kernel: DebugKernel, known: Table | None = None) -> dict[str, Variable]:
    assert kernel.btf is not None
    symbols = [symbol for symbol in kernel.symbols if kernel.kept(symbol[1])]
    found = globals_of(
        kernel.btf, symbols, arch=kernel.arch, release=kernel.release, read=kernel.read,
        readonly=kernel.readonly, known=known,
    )  # fmt: skip
    return {variable.name: variable for variable in found}


def verdict(shape: Shape, truth: Expression, names: Names) -> str:
    """How a type compares with the one in debug information, whose lengths are numbers."""
    wanted = [p.number or None if isinstance(p, Length) else p for p in truth.prefixes]
    same = shape.type_id == names.find(truth) and len(shape.wraps) == len(wanted)
    pairs = list(zip(shape.wraps, wanted, strict=False))
    if same and all(a == b or (b is None and isinstance(a, int)) for a, b in pairs):
        return "equal"
    if same and all(a == b or isinstance(a, int) for a, b in pairs):
        return "length"
    base = names.find(truth)
    sizes = {names.size(shape.type_id), base and names.size(base)}
    plain = [[w == "pointer" for w in ws if w not in ("const", "volatile")]
             for ws in (shape.wraps, wanted)]  # fmt: skip
    return "alike" if len(sizes) == 1 and plain[0] == plain[1] else "wrong"


def compare(kernel: DebugKernel, found: dict[str, Variable]) -> tuple[Counter[str], list[str]]:
    """How often each verdict was given, and the names of what is wrong."""
    assert kernel.btf is not None
    names, count, wrong = Names(kernel.btf), Counter[str](), []
    for name, seen in kernel.variables.items():
        what = "left out"
        if name in found:
            what = verdict(found[name].shape, seen.expression, names)
        count[what] += 1
        if what == "wrong":
            wrong.append(name)
    return count, wrong


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.name)
def test_a_kernel_that_the_table_was_made_from(path: Path) -> None:
    kernel = debug_kernel(path)
    found = variables(kernel)
    count, wrong = compare(kernel, found)
    assert wrong == []
    assert count["equal"] >= 0.995 * count.total(), count
    known = kernel.variables.keys()
    assert CRASH & known <= found.keys()


def test_a_kernel_that_the_table_has_never_seen() -> None:
    path = KERNELS[-1]
    others = [debug_kernel(each) for each in KERNELS if each != path]
    kernel = debug_kernel(path)
    count, wrong = compare(kernel, variables(kernel, Table(merge(collect(others)))))
    given = count.total() - count["left out"]
    assert len(wrong) <= 0.006 * given, wrong
    assert count["equal"] >= 0.96 * given, count
