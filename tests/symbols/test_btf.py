# SPDX-License-Identifier: GPL-3.0-or-later
"""What BTF is asked for by name, and BTF that is none."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crashext.errors import TypesError
from crashext.symbols.btf import Btf, Enumerator, Kind, Member, Param, Var

from .btf_writer import SIGNED, Blob, everything, with_layout

DATA = everything().data()
ORDERS = pytest.mark.parametrize("order", ["little", "big"])


@pytest.fixture
def btf() -> Btf:
    return Btf(everything().data())


@ORDERS
def test_offsets(order: Literal["little", "big"]) -> None:
    btf = Btf(everything(order).data())
    btf.check()
    assert btf.offset("task", "comm") == 24
    assert btf.offset("task", "list.prev") == 8
    assert btf.offset("task", "raw") == btf.offset("task", "half") == 16  # of an anonymous union
    assert btf.offset("task", "tail") == 64
    assert btf.offset("bits", "plain") == 8
    assert btf.offset("bits", "d") == 4  # the byte in which it begins
    assert btf.offset("task", "") is None
    assert btf.offset("task", "nothing") is None
    assert btf.offset("task", "comm.nothing") is None
    assert btf.offset("task", "parent.comm") is None  # a pointer is not inside
    assert btf.offset("unknown", "comm") is None
    assert btf.offset("pid_t", "comm") is None


@ORDERS
def test_sizes(order: Literal["little", "big"]) -> None:
    btf = Btf(everything(order).data())
    wanted = {"task": 64, "bits": 12, "empty": 0, "pid_t": 4, "callback_t": 8, "_Bool": 1,
              "double": 8, "state": 4, "wide": 8, "unknown": None, "nothing": None, "": None,
              "printk": None, "at": None}  # fmt: skip
    assert {name: btf.sizeof(name) for name in wanted} == wanted


@ORDERS
def test_enumerators(order: Literal["little", "big"]) -> None:
    btf = Btf(everything(order).data())
    wanted = {"RUNNING": 0, "STOPPED": 1, "BAD": -1, "HIGH": 0xFFFFFFFF, "TOP": 1 << 63,
              "NEGATIVE": -2, "POSITIVE": 1 << 40, "OPPED": None, "state": None}  # fmt: skip
    assert {name: btf.enumerator(name) for name in wanted} == wanted


def test_signs_of_older_kernels() -> None:
    """pahole before 1.24 wrote no kind_flag; then a few hundred enumerations have none."""
    blob = Blob()
    for n in range(500):
        blob.enum(f"e{n}", {f"A{n}": n})
    blob.enum("errors", {"NONE": 0, "BAD": -22})
    blob.enum("bits", {"TOP": 1 << 31})
    btf = Btf(blob.data())
    assert (btf.enumerator("BAD"), btf.enumerator("TOP")) == (-22, 1 << 31)


def test_types_decoded(btf: Btf) -> None:
    task = btf.type(btf.find("task", Kind.STRUCT) or 0)
    assert (task.kind, task.name, task.size) == (Kind.STRUCT, "task", 64)
    assert task.members[2]._replace(type_id=0) == Member("comm", 0, 192)
    bits = btf.type(btf.find("bits") or 0)
    assert [(m.name, m.bits, m.width) for m in bits.members] == [
        ("a", 0, 3), ("", 3, 2), ("b", 5, 27), ("c", 32, 1), ("d", 33, 2), ("plain", 64, None),
    ]  # fmt: skip
    state = btf.type(btf.find("state", Kind.ENUM) or 0)
    assert state.enumerators == (Enumerator("RUNNING", 0), Enumerator("STOPPED", 1))
    printk = btf.type(btf.find("printk", Kind.FUNC) or 0)
    proto = btf.type(printk.type_id or 0)
    assert proto.params[-1] == Param("", 0)
    array = btf.type(task.members[2].type_id)
    assert (array.kind, array.length, btf.type(array.type_id or 0).name) == (Kind.ARRAY, 16, "char")
    whole = btf.type(btf.find("int", Kind.INT) or 0)
    assert (whole.encoding, whole.width, whole.size) == (SIGNED, 32, 4)
    assert btf.type(0).kind == Kind.VOID
    with pytest.raises(TypesError, match="type 999, of 48"):
        btf.type(999)


def test_variables_and_functions(btf: Btf) -> None:
    pointer = btf.type(btf.find("task") or 0).members[4].type_id
    assert list(btf.variables()) == [Var("current", pointer, ".data..percpu", 0x40, 8, False)]
    assert [name for name, _ in btf.functions()] == ["done", "printk"]
    assert all(btf.kind(f.type_id) == Kind.FUNC for f in btf.functions())
    assert len(btf) == btf.end - 1


def test_a_name_in_the_end_of_another() -> None:
    """Nothing says that strings do not share their ends."""
    blob = Blob()
    blob.integer("unsigned int", 4)
    blob.add("", 8, 1)
    at = blob.strings.index(b"int")
    blob.records[1] = blob.words(at, 8 << 24, 1)
    btf = Btf(blob.data())
    assert btf.find("int", Kind.TYPEDEF) == 2
    assert btf.find("nt") is None


def test_split() -> None:
    base = everything()
    module = Blob(base=base)
    own = module.struct("task", 8, ("mine", 1, 0))
    theirs = Btf(base.data()).find("task") or 0
    module.struct("device", 128, ("task", theirs, 0), ("own", own, 512))
    module.enum("states", {"RUNNING": 7, "GONE": 8})
    whole = Btf(base.data())
    btf = Btf(module.data(), whole)
    btf.check()
    assert len(btf) == 3
    assert btf.sizeof("task") == 8  # its own comes first
    assert whole.sizeof("task") == 64
    assert btf.offset("device", "own.mine") == 64
    assert btf.offset("device", "task.comm") == 24
    assert (btf.enumerator("GONE"), btf.enumerator("STOPPED")) == (8, 1)
    assert btf.sizeof("pid_t") == 4
    assert [f.name for f in btf.functions()] == []
    assert btf.type(own).name == "task"
    with pytest.raises(TypesError):
        Btf(module.data()).check()


def test_older_bit_fields() -> None:
    """Before kind_flag an INT of few bits made the member a bit-field."""
    blob = Blob()
    whole = blob.integer("unsigned int", 4)
    three, one = (
        blob.integer("unsigned int", 4, bits=3),
        blob.integer("unsigned int", 4, bits=1, at=2),
    )
    blob.struct("old", 8, ("a", three, 0), ("b", blob.typedef("flag", one), 3), ("c", whole, 32))
    btf = Btf(blob.data())
    btf.check()
    members = btf.type(btf.find("old") or 0).members
    assert [(m.name, m.bits, m.width) for m in members] == [
        ("a", 0, 3), ("b", 5, 1), ("c", 32, None),
    ]  # fmt: skip


def test_kinds_that_came_later() -> None:
    """With a layout, records of unknown kinds are stepped over; what refers to them is refused."""
    blob = Blob()
    blob.integer("int", 4, SIGNED)
    blob.add("later", 20, 0, 1, 2, 3, vlen=1)
    blob.struct("after", 4, ("a", 1, 0))
    layout = [(0, 0)] * 20 + [(4, 8)]
    btf = Btf(with_layout(blob, layout))
    btf.check()
    assert btf.sizeof("after") == 4
    with pytest.raises(TypesError, match="unknown kind 20"):
        Btf(blob.data())
    blob.ptr(2)
    with pytest.raises(TypesError, match="no type"):
        Btf(with_layout(blob, layout)).check()


def _header(field: str, value: int) -> Callable[[], bytes]:
    return lambda: everything().data(**{field: value})


UNREADABLE = {
    "empty": lambda: b"",
    "short": lambda: everything().data()[:23],
    "magic": _header("magic", 0xEB9E),
    "version": _header("version", 2),
    "a short header": _header("hdr_len", 20),
    "a long header": _header("hdr_len", 1 << 30),
    "a crooked header": _header("hdr_len", 26),
    "types past the end": _header("type_len", 1 << 31),
    "types far away": _header("type_off", 0xFFFFFFF0),
    "types of odd length": _header("type_len", 13),
    "a record cut off": _header("type_len", 8),
    "strings past the end": _header("str_len", 1 << 20),
    "no strings": _header("str_len", 0),
    "strings without an end": lambda: everything().data()[:-1] + b"x",
    "strings without a beginning": lambda: DATA.replace(
        b"\0long unsigned int\0", b"xlong unsigned int\0"
    ),
}


@pytest.mark.parametrize("made", UNREADABLE.values(), ids=UNREADABLE)
def test_no_btf(made: Callable[[], bytes]) -> None:
    with pytest.raises(TypesError) as caught:
        Btf(made())
    assert "\n" not in str(caught.value)


def test_too_many_types() -> None:
    record = struct.pack("<3I", 0, 2 << 24, 0)
    blob = Blob(records=[record * ((1 << 20) - 1)])
    data = blob.data()
    with pytest.raises(TypesError, match="more than 1048575 types"):
        Btf(data)


def _int(blob: Blob) -> int:
    return blob.integer("int", 4, SIGNED)


def _inside_itself(blob: Blob) -> None:
    blob.struct("evil", 4, ("a", blob.end, 0))


def _inside_itself_in_an_array(blob: Blob) -> None:
    blob.struct("evil", 4, ("a", blob.end + 1, 0))
    blob.typedef("t", blob.array(blob.end - 1, 1) + 0)
    blob.records[0] = blob.records[0].replace(blob.words(2), blob.words(3))


def _inside_itself_in_an_empty_array(blob: Blob) -> None:
    blob.struct("evil", 4, ("a", blob.end + 1, 32))
    blob.array(blob.end - 1, 0)


def _inside_each_other(blob: Blob) -> None:
    blob.struct("a", 4, ("b", blob.end + 1, 0))
    blob.union("b", 4, ("a", blob.end - 1, 0))


def _pages_of_unions(blob: Blob) -> None:
    last = _int(blob)
    for n in range(40):
        last = blob.union(f"u{n}", 4, ("a", last, 0), ("", last, 0))


def _a_tower_of_structures(blob: Blob) -> None:
    last = _int(blob)
    for n in range(100):
        last = blob.struct(f"s{n}", 4, ("a", last, 0))


def _functions_of_functions(blob: Blob) -> None:
    last = blob.ptr(blob.proto(0))
    for _ in range(40):
        last = blob.ptr(blob.proto(last, ("a", last), ("b", last)))


def _a_function_of_itself(blob: Blob) -> None:
    blob.ptr(blob.end + 1)
    blob.proto(0, ("self", blob.end - 1))


def _pointers(blob: Blob) -> None:
    last = _int(blob)
    for _ in range(65):
        last = blob.ptr(last)


def _overflow(blob: Blob) -> None:
    last = _int(blob)
    for _ in range(8):
        last = blob.array(last, 0xFFFF)


UNSOUND: dict[str, Callable[[Blob], object]] = {
    "a structure inside itself": _inside_itself,
    "in an array": _inside_itself_in_an_array,
    "in an empty array": _inside_itself_in_an_empty_array,
    "two inside each other": _inside_each_other,
    "more members than atoms": _pages_of_unions,
    "a tower": _a_tower_of_structures,
    "functions of functions": _functions_of_functions,
    "a function of itself": _a_function_of_itself,
    "a typedef of itself": lambda b: b.typedef("t", b.end),
    "a typedef of a const of it": lambda b: b.const(b.typedef("t", b.end + 1)),
    "an array of itself": lambda b: b.array(b.end, 2),
    "a pointer to itself": lambda b: b.ptr(b.end),
    "pointers without end": _pointers,
    "2^32 elements": lambda b: b.array(_int(b), 0xFFFFFFFF),
    "sizes that overflow": _overflow,
    "2^31 empty structures": lambda b: b.array(b.struct("empty", 0), 1 << 31),
    "more structures than any kernel has": lambda b: [b.struct("s", 0) for _ in range(131_073)],
    "more members than any kernel has": lambda b: b.records.append(
        b.words(0, 4 << 24 | 1_048_577, 4) + b.words(0, 1, 0) * 1_048_577
    ),
    "an array of void": lambda b: b.array(0, 4),
    "an array of functions": lambda b: b.array(b.proto(0), 4),
    "an array of the unknown": lambda b: b.array(b.fwd("unknown"), 4),
    "a type past the end": lambda b: b.ptr(1000),
    "a member past the end": lambda b: b.struct("s", 4, ("a", 1000, 0)),
    "a parameter past the end": lambda b: b.proto(0, ("a", 1000)),
    "a member of void": lambda b: b.struct("s", 4, ("a", 0, 0)),
    "a member that is a function": lambda b: (
        b.struct("s", 4, ("a", b.end - 1 + 2, 0)) and b.proto(0)
    ),
    "a member of the unknown": lambda b: b.struct("s", 4, ("a", b.fwd("unknown"), 0)),
    "a member outside": lambda b: b.struct("s", 4, ("a", _int(b), 8)),
    "a member far outside": lambda b: b.struct("s", 4, ("a", _int(b), 0xFFFFFFF8)),
    "a member between bytes": lambda b: b.struct("s", 8, ("a", _int(b), 3)),
    "a wide bit-field": lambda b: b.struct("s", 8, ("a", _int(b), 33 << 24), flag=1),
    "a bit-field outside": lambda b: b.struct("s", 4, ("a", _int(b), 8 << 24 | 30), flag=1),
    "a bit-field of a pointer": lambda b: b.struct("s", 8, ("a", b.ptr(0), 3 << 24), flag=1),
    "a huge structure": lambda b: b.struct("s", 0xFFFFFFFF),
    "a name past the end": lambda b: b.records.append(b.words(1 << 20, 1 << 24, 4, 32)),
    "a member's name": lambda b: b.records.append(b.words(0, 4 << 24 | 1, 4, 1 << 20, 1, 0)),
    "an enumerator's name": lambda b: b.records.append(b.words(0, 6 << 24 | 1, 4, 1 << 20, 1)),
    "an integer of 3 bytes": lambda b: b.integer("int", 3),
    "an integer of no bits": lambda b: b.integer("int", 4, bits=0),
    "an integer of too many bits": lambda b: b.integer("int", 4, bits=30, at=8),
    "an enumeration of 5 bytes": lambda b: b.enum("e", {"A": 1}, size=5),
    "a float of 7 bytes": lambda b: b.real("float", 7),
    "a pointer to a function's name": lambda b: b.ptr(b.func("f", b.proto(0))),
    "a function of no prototype": lambda b: b.func("f", _int(b)),
    "... before the last parameter": lambda b: b.proto(0, ("", 0), ("a", _int(b))),
    "a parameter of tagged void": lambda b: b.proto(0, ("a", b.type_tag("user", 0))),
    "a variable of void": lambda b: b.var("v", 0),
    "a variable of tagged void": lambda b: b.var("v", b.type_tag("user", 0)),
    "a section of types": lambda b: b.datasec(".data", (_int(b), 0, 4)),
    "a section of nothing": lambda b: b.datasec(".data", (1000, 0, 4)),
}


@pytest.mark.parametrize("make", UNSOUND.values(), ids=UNSOUND)
@pytest.mark.parametrize("split", [False, True], ids=["", "split"])
def test_unsound(make: Callable[[Blob], object], split: bool) -> None:
    base = everything() if split else None
    if split and make is _inside_itself_in_an_array:
        pytest.skip("its IDs are counted from 1")
    blob = Blob(base=base)
    make(blob)
    btf = Btf(blob.data(), Btf(base.data()) if base else None)
    with pytest.raises(TypesError) as caught:
        btf.check()
    assert "\n" not in str(caught.value)


def test_sound_is_sound() -> None:
    """What is near to the limits, but right."""
    blob = Blob()
    whole = _int(blob)
    last = whole
    for _ in range(60):
        last = blob.ptr(last)
    blob.struct("big", 1 << 28)
    blob.array(whole, 1 << 26)
    blob.struct("flexible", 4, ("a", whole, 0), ("b", blob.array(whole, 0), 32))
    node = blob.end
    blob.struct("node", 16, ("next", node + 1, 0), ("call", node + 2, 64))
    blob.ptr(node)
    blob.ptr(blob.end + 1)
    blob.proto(node, ("node", node + 1))
    Btf(blob.data()).check()


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_damage(data: st.DataObject) -> None:
    """Whatever is in it: an answer or one line."""
    damaged = bytearray(DATA)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.sampled_from((0, 1, 2, 0x7F, 0x80, 0xFF)) | st.integers(0, 255))
    cut = data.draw(st.just(len(damaged)) | st.integers(0, len(damaged)))
    btf = None
    with _Lines():
        btf = Btf(bytes(damaged[:cut]))
    if btf is None:
        return
    for ask in (
        btf.check,
        lambda: [btf.type(i) for i in range(btf.end)],
        lambda: [btf.sizeof(name) for name in ("task", "pid_t", "bits", "callback_t")],
        lambda: [btf.offset("task", path) for path in ("comm", "half", "list.prev", "nothing")],
        lambda: [btf.enumerator(name) for name in ("BAD", "TOP", "NEGATIVE")],
        lambda: [*btf.variables(), *btf.functions()],
    ):
        with _Lines():
            ask()


class _Lines:
    """Lets an error of one line pass, and no other."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        return isinstance(error, TypesError) and "\n" not in str(error)
