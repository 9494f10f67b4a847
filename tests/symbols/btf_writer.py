# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes BTF, right or wrong (uapi/linux/btf.h)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

SIGNED, CHAR, BOOL = 1, 2, 4


@dataclass
class Blob:
    """A BTF in the making. Each method that adds a type returns its ID."""

    order: Literal["little", "big"] = "little"
    base: Blob | None = None
    records: list[bytes] = field(default_factory=list)
    strings: bytes = b""
    _names: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.base is None:
            self.strings = b"\0"

    @property
    def end(self) -> int:
        """The next type's ID."""
        return (self.base.end if self.base else 1) + len(self.records)

    def name(self, text: str) -> int:
        """The offset of a string."""
        if not text:
            return 0
        if text not in self._names:
            before = self.base.string_end if self.base else 0
            self._names[text] = before + len(self.strings)
            self.strings += text.encode("latin-1") + b"\0"
        return self._names[text]

    @property
    def string_end(self) -> int:
        """The offset behind all strings."""
        return (self.base.string_end if self.base else 0) + len(self.strings)

    def words(self, *words: int) -> bytes:
        """32-bit words."""
        return struct.pack(("<" if self.order == "little" else ">") + f"{len(words)}I", *words)

    def add(
        self, name: str, kind: int, third: int, *rest: int, vlen: int = 0, flag: int = 0
    ) -> int:
        """A record of any kind."""
        info = flag << 31 | kind << 24 | vlen
        self.records.append(
            self.words(self.name(name), info, third, *(r & 0xFFFFFFFF for r in rest))
        )
        return self.end - 1

    def integer(
        self, name: str, size: int, encoding: int = 0, bits: int | None = None, at: int = 0
    ) -> int:
        word = encoding << 24 | at << 16 | (8 * size if bits is None else bits)
        return self.add(name, 1, size, word)

    def ptr(self, target: int) -> int:
        return self.add("", 2, target)

    def array(self, element: int, count: int, index: int = 1) -> int:
        return self.add("", 3, 0, element, index, count)

    def struct(
        self, name: str, size: int, *members: tuple[str, int, int], kind: int = 4, flag: int = 0
    ) -> int:
        """Members are a name, a type and the word that BTF calls offset: bits."""
        rows = [word for n, type_id, bits in members for word in (self.name(n), type_id, bits)]
        return self.add(name, kind, size, *rows, vlen=len(members), flag=flag)

    def union(self, name: str, size: int, *members: tuple[str, int, int]) -> int:
        return self.struct(name, size, *members, kind=5)

    def enum(self, name: str, values: dict[str, int], size: int = 4, flag: int = 0) -> int:
        rows = [word for n, value in values.items() for word in (self.name(n), value)]
        return self.add(name, 6, size, *rows, vlen=len(values), flag=flag)

    def enum64(self, name: str, values: dict[str, int], flag: int = 0) -> int:
        rows = [w for n, v in values.items() for w in (self.name(n), v, v >> 32)]
        return self.add(name, 19, 8, *rows, vlen=len(values), flag=flag)

    def fwd(self, name: str, flag: int = 0) -> int:
        return self.add(name, 7, 0, flag=flag)

    def typedef(self, name: str, target: int) -> int:
        return self.add(name, 8, target)

    def volatile(self, target: int) -> int:
        return self.add("", 9, target)

    def const(self, target: int) -> int:
        return self.add("", 10, target)

    def restrict(self, target: int) -> int:
        return self.add("", 11, target)

    def func(self, name: str, proto: int) -> int:
        return self.add(name, 12, proto, vlen=1)

    def proto(self, returns: int, *params: tuple[str, int]) -> int:
        rows = [word for n, type_id in params for word in (self.name(n), type_id)]
        return self.add("", 13, returns, *rows, vlen=len(params))

    def var(self, name: str, target: int) -> int:
        return self.add(name, 14, target, 1)

    def datasec(self, name: str, *rows: tuple[int, int, int]) -> int:
        return self.add(name, 15, 0x1000, *(w for row in rows for w in row), vlen=len(rows))

    def real(self, name: str, size: int) -> int:
        return self.add(name, 16, size)

    def decl_tag(self, name: str, target: int) -> int:
        return self.add(name, 17, target, -1)

    def type_tag(self, name: str, target: int) -> int:
        return self.add(name, 18, target)

    def data(self, **header: int) -> bytes:
        """The whole blob; fields of ``struct btf_header`` may be given."""
        types = b"".join(self.records)
        fields = {
            "magic": 0xEB9F,
            "version": 1,
            "flags": 0,
            "hdr_len": 24,
            "type_off": 0,
            "type_len": len(types),
            "str_off": len(types),
            "str_len": len(self.strings),
        } | header
        mark = "<" if self.order == "little" else ">"
        return struct.pack(mark + "HBB5I", *fields.values()) + types + self.strings


def with_layout(blob: Blob, layout: Sequence[tuple[int, int]]) -> bytes:
    """A blob of the 32-byte header, with ``struct btf_layout`` (info and element size) by kind."""
    types = b"".join(blob.records)
    layouts = b"".join(struct.pack("BBH", info, element, 0) for info, element in layout)
    ends = (0, len(types), len(types), len(blob.strings), len(types) + len(blob.strings))
    mark = "<" if blob.order == "little" else ">"
    header = struct.pack(mark + "HBB7I", 0xEB9F, 1, 0, 32, *ends, len(layouts))
    return header + types + blob.strings + layouts


def everything(order: Literal["little", "big"] = "little") -> Blob:
    """A BTF with every kind of type in it."""
    blob = Blob(order)
    word = blob.integer("long unsigned int", 8)
    char = blob.integer("char", 1, SIGNED)
    whole = blob.integer("int", 4, SIGNED)
    unsigned = blob.integer("unsigned int", 4)
    boolean = blob.integer("_Bool", 1, BOOL)
    blob.real("double", 8)
    list_head = blob.end
    blob.struct("list_head", 16, ("next", list_head + 1, 0), ("prev", list_head + 1, 64))
    blob.ptr(list_head)
    name = blob.array(char, 16)
    inner = blob.union("", 8, ("raw", word, 0), ("half", unsigned, 0))
    pid = blob.typedef("pid_t", blob.typedef("__kernel_pid_t", whole))
    task = blob.end
    pointer = task + 1
    blob.struct(
        "task", 64,
        ("list", list_head, 0), ("", inner, 128), ("comm", name, 192), ("pid", pid, 320),
        ("parent", pointer, 384), ("tail", pointer + 1, 512),
    )  # fmt: skip
    blob.ptr(task)
    blob.array(pointer, 0)
    state = blob.enum("state", {"RUNNING": 0, "STOPPED": 1})
    blob.enum("errors", {"NONE": 0, "BAD": -1}, flag=1)
    blob.enum("unsigned_enum", {"HIGH": 0xFFFFFFFF})
    blob.enum64("wide", {"TOP": 1 << 63, "LOW": 1})
    blob.enum64("wide_signed", {"NEGATIVE": -2, "POSITIVE": 1 << 40}, flag=1)
    blob.enum("undefined_enum", {})
    blob.struct(
        "bits", 12,
        ("a", unsigned, 3 << 24), ("", unsigned, 2 << 24 | 3), ("b", whole, 27 << 24 | 5),
        ("c", boolean, 1 << 24 | 32), ("d", state, 2 << 24 | 33), ("plain", unsigned, 64),
        flag=1,
    )  # fmt: skip
    blob.ptr(blob.fwd("unknown"))
    blob.ptr(blob.fwd("unknown_union", flag=1))
    blob.ptr(blob.const(char))
    blob.ptr(blob.volatile(word))
    blob.restrict(blob.ptr(0))
    blob.ptr(blob.const(0))
    blob.ptr(blob.type_tag("rcu", task))
    blob.ptr(blob.type_tag("user", 0))
    callback = blob.proto(whole, ("task", pointer), ("", whole), ("", 0))
    blob.typedef("callback_t", blob.ptr(callback))
    done = blob.proto(0, ("how", whole))
    blob.func("done", done)
    printk = blob.func("printk", callback)
    blob.decl_tag("tag", printk)
    blob.datasec(".data..percpu", (blob.var("current", pointer), 0x40, 8))
    blob.struct("empty", 0)
    return blob
