# SPDX-License-Identifier: GPL-3.0-or-later
"""Which type of the table is a kernel's."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from crashext.rebuild.globals import globals_of
from crashext.rebuild.globals.table import Table, series_of, table
from crashext.rebuild.shape import Wrap
from crashext.symbols.btf import Btf
from tests.symbols.btf_writer import SIGNED, Blob

ADDRESS = 0xC0001000
TABLE = """\
here 6.1\there 6.12\tthere 6.6
number\tint
other_number\tunsigned long
list\t[]const struct pair
ended\t[.]const struct pair
filled\t[*]*struct pair
text\t[$]const char
counted\t[NR_PAIRS+1]struct pair
matrix\t[2][NR_PAIRS]int
many\t[100000000000]int
huge\t[HUGE]int
unknown\tstruct nothing
undefined\tstruct opaque
reference\t*struct opaque
nowhere\t*void
helper\tstruct twice
changed\tint\t1\tstruct pair\t2
renamed\tstruct pair\t1\tpair_t\t2
turned\t*struct pair\t1
backported\t*struct pair\t1\t[25]struct pair\t2
elsewhere\tint\t4
disputed\tint\t4\tstruct pair\t1
longer\t[2]int\t1\t[3]int\t2
"""


def kernel() -> Btf:
    blob = Blob()
    whole = blob.integer("int", 4, SIGNED)
    blob.integer("long unsigned int", 8)
    blob.integer("char", 1, SIGNED)
    pair = blob.struct("pair", 8, ("a", whole, 0), ("b", whole, 32))
    blob.typedef("pair_t", pair)
    blob.fwd("opaque")
    blob.enum("pairs", {"NR_PAIRS": 3, "HUGE": 0x7FFFFFFF})
    blob.struct("twice", 4, ("a", whole, 0))
    blob.struct("twice", 12, ("a", whole, 0))
    return Btf(blob.data())


def found(
    name: str,
    room: int | None,
    memory: bytes = b"",
    *,
    release: str = "6.1.0-5-test",
    arch: str = "here",
    readonly: bool = True,
    others: Mapping[str, int] | None = None,
) -> tuple[tuple[Wrap, ...], str] | None:
    """The wraps and the name of the type that a variable is given."""
    btf = kernel()
    symbols = [(name, ADDRESS, room), *((n, a, room) for n, a in (others or {}).items())]

    def read(vaddr: int, size: int) -> bytes | None:
        at = vaddr - ADDRESS
        return memory[at : at + size] if at + size <= len(memory) else None

    variables = list(
        globals_of(
            btf, symbols, arch=arch, release=release, read=read,
            readonly=lambda _: readonly, known=Table(TABLE),
        )
    )  # fmt: skip
    if not variables:
        return None
    (variable,) = variables
    assert (variable.name, variable.vaddr, variable.value) == (name, ADDRESS, None)
    return variable.shape.wraps, btf.type(variable.shape.type_id).name


def test_plain_types() -> None:
    assert found("number", 4) == ((), "int")
    assert found("number", 64) == ((), "int")
    assert found("other_number", 8) == ((), "long unsigned int")  # by its other name
    assert found("nowhere", 8) == (("pointer",), "")
    assert found("reference", 8) == (("pointer",), "opaque")


@pytest.mark.parametrize(
    ("name", "room"),
    [("number", 3), ("number", 0), ("unknown", 64), ("undefined", 64), ("many", 1 << 40),
     ("huge", 1 << 20), ("list", 7), ("many", None), ("huge", None),
     ("absent", 64)],
)  # fmt: skip
def test_what_does_not_fit_is_left_out(name: str, room: int | None) -> None:
    assert found(name, room) is None


def test_where_no_neighbour_tells_a_length_there_is_none() -> None:
    assert found("list", None) == ((None, "const"), "pair")


def test_measured_lengths() -> None:
    memory = b"\1" * 24 + b"\0" * 40
    assert found("list", 64, memory) == ((3, "const"), "pair")
    assert found("ended", 64, memory) == ((4, "const"), "pair")
    assert found("filled", 60, memory) == ((7, "pointer"), "pair")
    # Nothing tells elements from padding where the kernel writes, or can't be read.
    assert found("list", 64, memory, readonly=False) == ((8, "const"), "pair")
    assert found("list", 64, b"") == ((8, "const"), "pair")
    assert found("list", 64, bytes(64)) == ((8, "const"), "pair")
    assert found("text", 64, b"a text\0\1\0".ljust(64)) == ((7, "const"), "char")
    assert found("text", 4, b"text") == ((4, "const"), "char")
    assert found("ended", 24, memory) == ((3, "const"), "pair")


def test_a_length_that_is_an_enumerator() -> None:
    assert found("counted", 64) == ((4,), "pair")
    assert found("matrix", 24) == ((2, 3), "int")
    assert found("matrix", 23) is None


def test_a_name_of_several_variables_is_left_out() -> None:
    assert found("number", 4, others={"other": 5}) == ((), "int")
    assert found("number", 4, others={"number": 5}) is None


def test_the_largest_of_several_structures_of_one_name() -> None:
    assert found("helper", 12) == ((), "twice")
    assert found("helper", 8) is None


def test_the_nearest_kernel_decides() -> None:
    assert found("changed", 8) == ((), "int")
    assert found("changed", 8, release="6.12.1") == ((), "pair")
    assert found("changed", 8, release="7.2") == ((), "pair")
    assert found("changed", 8, release="5.4") == ((), "int")


def test_between_two_kernels_that_differ_nothing_is_believed() -> None:
    assert found("changed", 8, release="6.6") is None
    assert found("changed", 4, release="6.6") == ((), "int")  # only one of them fits
    assert found("renamed", 8, release="6.6") == ((), "pair")  # it is the same by another name
    assert found("longer", 8, release="6.6") == ((2,), "int")
    assert found("longer", 16, release="6.6") == ((3,), "int")


def test_other_architectures_come_second() -> None:
    assert found("elsewhere", 8) == ((), "int")
    assert found("disputed", 8) == ((), "pair")
    assert found("disputed", 8, arch="there") == ((), "int")
    # Of no architecture that the table has, and no series between two that agree.
    assert found("disputed", 8, arch="nobody", release="6.4") is None
    assert found("elsewhere", 8, arch="nobody") == ((), "int")


def test_a_pointer_with_room_for_what_it_points_to() -> None:
    assert found("turned", 200) == (("pointer",), "pair")  # the table has this very series
    assert found("turned", 8, release="6.20") == (("pointer",), "pair")
    assert found("turned", 200, release="6.20") is None


def test_a_pointer_with_room_for_what_other_kernels_have() -> None:
    """Stable series change types, too: 6.12.95 of arm64 has 6.1's array ``reserved_mem``."""
    assert found("backported", 8) == (("pointer",), "pair")
    assert found("backported", 200) is None


@pytest.mark.parametrize(
    ("release", "series"),
    [("6.1.0-56-cloud-amd64", (6, 1)), ("5.10", (5, 10)), ("", (0, 0)), ("x", (0, 0)),
     ("99999.1", (0, 0))],
)  # fmt: skip
def test_series(release: str, series: tuple[int, int]) -> None:
    assert series_of(release) == series


def test_the_table_that_is_shipped() -> None:
    start = time.process_time()
    shipped = table()
    seconds = time.process_time() - start
    assert len(shipped) > 10_000
    assert seconds < 0.3, "ten times what it takes"
    for name in shipped:
        assert shipped.alternatives(name), name
    assert [str(e) for e, _ in shipped.alternatives("vm_zone_stat")] == [
        "[NR_VM_ZONE_STAT_ITEMS]atomic_long_t"
    ]
    assert [str(e) for e, _ in shipped.alternatives("mem_section")] == ["**struct mem_section"]
