# SPDX-License-Identifier: GPL-3.0-or-later
"""DWARF made from BTF, as drgn, gdb, readelf and pyelftools read it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from crashext.dumps.base import ByteOrder
from crashext.errors import RebuildError, TypesError
from crashext.rebuild.dwarf import DebugInfo, debug_info
from crashext.rebuild.shape import Function, Shape, Variable
from crashext.symbols.btf import Btf, Kind
from tests.symbols.btf_writer import SIGNED, Blob, everything
from tests.symbols.drgn_types import named, of_btf, of_drgn, program

from .dwarf_elf import TEXT, write_elf

PRODUCER = "made by a test"


def made(
    btfs: Sequence[Btf],
    variables: Sequence[Variable] = (),
    functions: Sequence[Function] = (),
    one_element: frozenset[tuple[str, str]] = frozenset(),
) -> DebugInfo:
    return debug_info(
        btfs, variables, functions, producer=PRODUCER, byte_order=btfs[0].byte_order,
        word=btfs[0].word, one_element=one_element,
    )  # fmt: skip


def gdb(path: Path, *commands: str) -> str:
    """What gdb prints."""
    if shutil.which("gdb") is None:
        pytest.skip("gdb is not installed")
    asked = [word for command in commands for word in ("-ex", command)]
    done = subprocess.run(
        ["gdb", "-nx", "-batch", *asked, path],
        check=True,
        capture_output=True,
        text=True,
        timeout=400,
    )
    return done.stdout + done.stderr


def placed(btf: Btf) -> list[Function]:
    return [
        Function(name, type_id, TEXT + 64 * n, TEXT + 64 * n + 60)
        for n, (name, type_id) in enumerate(btf.functions())
    ]


@pytest.fixture
def btf() -> Btf:
    return Btf(everything().data())


def test_drgn_sees_btf(btf: Btf, tmp_path: Path) -> None:
    prog = program(write_elf(tmp_path / "vmlinux", made([btf])))
    for name, ids in named(btf).items():
        assert of_drgn(prog.type(name)) == of_btf(btf, ids[0]), name


def test_gdb_prints_c(btf: Btf, tmp_path: Path) -> None:
    path = write_elf(tmp_path / "vmlinux", made([btf], [], placed(btf)))
    text = gdb(
        path, "ptype struct task", "ptype struct bits", "ptype enum errors", "whatis callback_t",
        "ptype callback_t", "whatis done", "whatis printk", "ptype char", "print (char) 65",
        "print/u TOP", "print NEGATIVE", "print/u HIGH", "print sizeof(struct bits)",
        "ptype enum undefined_enum", "info address printk",
    )  # fmt: skip
    assert text.splitlines() == [
        "type = struct task {",
        "    struct list_head list;",
        "    union {",
        "        unsigned long raw;",
        "        unsigned int half;",
        "    };",
        "    char comm[16];",
        "    pid_t pid;",
        "    struct task *parent;",
        "    struct task *tail[];",
        "}",
        "type = struct bits {",
        "    unsigned int a : 3;",
        "    unsigned int : 2;",
        "    int b : 27;",
        "    _Bool c : 1;",
        "    enum state d : 2;",
        "    unsigned int plain;",
        "}",
        "type = enum errors {NONE, BAD = -1}",
        *("type = int (*)(struct task *, int, ...)",) * 2,
        "type = void (int)",
        "type = int (struct task *, int, ...)",
        "type = char",
        "$1 = 65 'A'",
        "$2 = 9223372036854775808",
        "$3 = NEGATIVE",
        "$4 = 4294967295",
        "$5 = 12",
        "type = enum undefined_enum {}",
        'Symbol "printk" is a function at address 0x10000040.',
    ]


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("word", [4, 8])
def test_tools_have_nothing_to_complain_of(order: ByteOrder, word: int, tmp_path: Path) -> None:
    blob = everything(order)
    if word == 4:
        blob.records[0] = blob.words(blob.name("long unsigned int"), 1 << 24, 4, 32)
        blob.records[12] = blob.words(0, 5 << 24 | 2, 8, *(0, 1, 0, 0, 4, 0))
    btf = Btf(blob.data())
    assert btf.word == word
    variables = [Variable("current", Shape((), next(btf.variables()).type_id), 0x40)]
    info = made([btf], variables, placed(btf))
    path = write_elf(tmp_path / "vmlinux", info, order, word)
    done = subprocess.run(
        ["readelf", "--debug-dump=info,abbrev", path], check=True, capture_output=True, text=True
    )
    assert done.stderr == ""
    with path.open("rb") as file:
        (unit,) = ELFFile(file).get_dwarf_info().iter_CUs()
        dies = [die for die in unit.iter_DIEs() if not die.is_null()]
        assert dies[0].attributes["DW_AT_producer"].value == PRODUCER.encode()
        assert dies[-1].offset < unit["unit_length"] + 4
        offsets = {die.offset for die in dies}
        for die in dies:
            if "DW_AT_type" in die.attributes:
                assert die.attributes["DW_AT_type"].value in offsets, die
        assert sum(die.tag == "DW_TAG_variable" for die in dies) == info.globals == 1
        types = [die for die in dies if die.get_parent() is dies[0]]
        assert len(types) - info.types == 1 + 2 + (
            4 if word == 8 else 5
        )  # variables, functions, integers


def test_variables(btf: Btf, tmp_path: Path) -> None:
    task = btf.find("task") or 0
    whole = btf.find("int", Kind.INT) or 0
    variables = [
        Variable("tasks", Shape((4, "pointer"), task), 0x1000),
        Variable("names", Shape((None, "pointer", "const"), btf.find("char") or 0), 0x2000),
        Variable("anything", Shape(("pointer", "volatile"), 0), 0x3000),
        Variable("again", Shape(("pointer",), task), 0xFFFFFFFFFFFFFFF8),
        Variable("write_expire", Shape((), whole), None, 1250),
        Variable("negative", Shape((), whole), None, -3),
        Variable("table", Shape((2, 3), whole), 0x4000),
        Variable("nowhere", Shape((), whole), None),
    ]
    info = made([btf], variables)
    path = write_elf(tmp_path / "vmlinux", info)
    text = gdb(path, *(f"whatis {v.name}" for v in variables[:7]), "print &tasks", "print &again",
               "print write_expire", "print negative", "info symbol 0x1000")  # fmt: skip
    assert text.splitlines()[:11] == [
        "type = struct task *[4]",
        "type = const char *[]",
        "type = volatile void *",
        "type = struct task *",
        "type = int",
        "type = int",
        "type = int [2][3]",
        "$1 = (struct task *(*)[4]) 0x1000",
        "$2 = (struct task **) 0xfffffffffffffff8",
        "$3 = 1250",
        "$4 = -3",
    ]


@pytest.mark.parametrize("wraps", [(), ("const",), (3,), ("pointer", 3), (2, "volatile")])
def test_nothing_is_of_void(btf: Btf, wraps: tuple[str | int, ...]) -> None:
    with pytest.raises(RebuildError, match="void"):
        made([btf], [Variable("v", Shape(wraps, 0), 0x1000)])  # type: ignore[arg-type]


def test_functions_with_odd_places_are_left_out(btf: Btf, tmp_path: Path) -> None:
    printk = btf.find("printk", Kind.FUNC) or 0
    functions = [
        Function("backwards", printk, 0x2000, 0x1000),
        Function("endless", printk, 0, (1 << 64) - 1),
        Function("outside", printk, 1 << 64, (1 << 64) + 8),
        Function("renamed", printk, TEXT, TEXT + 8),
    ]
    text = gdb(
        write_elf(tmp_path / "vmlinux", made([btf], [], functions)),
        *(f"whatis {function.name}" for function in functions),
    )
    assert text.count("No symbol") == 3
    assert "type = int (struct task *, int, ...)" in text


def test_functions_that_btf_has_not(btf: Btf, tmp_path: Path) -> None:
    """Before pahole 1.18: where they are is known, their types are not."""
    functions = [Function("start_kernel", 0, TEXT, TEXT + 64), *placed(btf)]
    path = write_elf(tmp_path / "vmlinux", made([btf], [], functions))
    with path.open("rb") as file:
        dies = ELFFile(file).get_dwarf_info().iter_CUs().__next__().iter_DIEs()
        found = {
            die.attributes["DW_AT_name"].value: die.attributes
            for die in dies
            if die.tag == "DW_TAG_subprogram"
        }
    unknown = found.pop(b"start_kernel")
    assert (unknown["DW_AT_low_pc"].value, unknown["DW_AT_high_pc"].value) == (TEXT, 64)
    assert "DW_AT_prototyped" not in unknown
    assert len(found) == len(functions) - 1
    assert f'Symbol "start_kernel" is a function at address {TEXT:#x}' in gdb(
        path, "info address start_kernel"
    )


def test_modules_come_after_the_kernel(tmp_path: Path) -> None:
    """A module's structure of the same name does not hide the kernel's."""
    base = everything()
    kernel = Btf(base.data())
    module = Blob(base=base)
    own = module.struct("task", 4, ("other", kernel.find("int") or 0, 0))
    module.struct("device", 16, ("owner", module.ptr(own), 0), ("task", own, 64))
    module.enum("device_state", {"DEVICE_ON": 1})
    module.ptr(module.proto(own, ("device", own)))
    second = Blob(base=base)
    second.struct("driver", 8, ("", kernel.find("list_head") or 0, 0))
    second.records[0] = second.records[0].replace(second.words(8), second.words(16), 1)
    btfs = [kernel, Btf(module.data(), kernel), Btf(second.data(), kernel)]
    info = made(btfs)
    path = write_elf(tmp_path / "vmlinux", info)
    assert info.types == made([kernel]).types + 7
    text = gdb(path, "print sizeof(struct task)", "ptype struct device", "print DEVICE_ON",
               "print sizeof(struct driver)")  # fmt: skip
    assert text.splitlines() == [
        "$1 = 64",
        "type = struct device {",
        "    struct task *owner;",
        "    struct task task;",
        "}",
        "$2 = DEVICE_ON",
        "$3 = 16",
    ]
    prog = program(path)
    assert prog.type("struct device").size == 16
    assert prog.type("struct device").member("task").type.size == 4


def test_one_element(tmp_path: Path) -> None:
    """crash before 8.0.4 looks for numbers[0] in struct pid."""
    blob = Blob()
    whole = blob.integer("int", 4, SIGNED)
    blob.integer("long unsigned int", 8)
    upid = blob.struct("upid", 16, ("nr", whole, 0))
    open_array = blob.array(upid, 0)
    blob.struct("pid", 8, ("level", whole, 0), ("numbers", open_array, 64))
    blob.struct("other", 8, ("level", whole, 0), ("numbers", open_array, 64))
    blob.struct("padding", 0, ("x", open_array, 0))
    asked = frozenset({("pid", "numbers"), ("pid", "level"), ("nobody", "x"), ("upid", "nr")})
    path = write_elf(tmp_path / "vmlinux", made([Btf(blob.data())], one_element=asked))
    text = gdb(path, "print sizeof(struct pid)", "whatis ((struct pid *) 0)->numbers",
               "print sizeof(struct other)", "whatis ((struct other *) 0)->numbers",
               "whatis ((struct padding *) 0)->x")  # fmt: skip
    assert text.splitlines() == [
        "$1 = 24", "type = struct upid [1]", "$2 = 8", "type = struct upid []",
        "type = struct upid [0]",
    ]  # fmt: skip


def test_older_bit_fields(tmp_path: Path) -> None:
    blob = Blob()
    whole = blob.integer("unsigned int", 4)
    blob.integer("long unsigned int", 8)
    three, one = (
        blob.integer("unsigned int", 4, bits=3),
        blob.integer("unsigned int", 4, bits=1, at=2),
    )
    blob.struct("old", 8, ("a", three, 0), ("b", blob.typedef("flag", one), 3), ("c", whole, 32))
    btf = Btf(blob.data())
    prog = program(write_elf(tmp_path / "vmlinux", made([btf])))
    assert of_drgn(prog.type("struct old")) == of_btf(btf, btf.find("old") or 0)


def test_names_are_made_harmless(tmp_path: Path) -> None:
    blob = Blob()
    whole = blob.integer("int\x1b[2J", 4, SIGNED)
    blob.integer("long unsigned int", 8)
    blob.struct("evil\x07%n\xff", 4, ("a\nb", whole, 0))
    info = made([Btf(blob.data())])
    strings = b"".join(info.strings)
    assert b"int__2J\0" in strings
    assert b"\0a_b\0evil__n_\0" in strings
    text = gdb(write_elf(tmp_path / "vmlinux", info), "ptype struct evil__n_")
    assert text.splitlines() == ["type = struct evil__n_ {", "    int__2J a_b;", "}"]


def test_types_of_another_machine(btf: Btf) -> None:
    with pytest.raises(TypesError, match="64-bit little-endian"):
        debug_info([btf], [], [], producer=PRODUCER, byte_order="big", word=8)
    with pytest.raises(TypesError, match="64-bit little-endian"):
        debug_info([btf], [], [], producer=PRODUCER, byte_order="little", word=4)


def test_unsound_types(btf: Btf) -> None:
    blob = everything()
    blob.struct("evil", 4, ("a", blob.end, 0))
    with pytest.raises(TypesError, match="inside itself"):
        made([Btf(blob.data())])
