# SPDX-License-Identifier: GPL-3.0-or-later
"""BTF as an adversary in the guest would have it: each function changes a kernel's real one.

Layout: include/uapi/linux/btf.h.
"""

from __future__ import annotations

import itertools
import random
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III")
INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST = range(1, 11)
_FUNC_PROTO, _VAR, _DATASEC, _DECL_TAG, _ENUM64 = 13, 14, 15, 17, 19
#: Bytes behind a type: as such, and for each of its elements.
_BEHIND = {INT: (4, 0), ARRAY: (12, 0), STRUCT: (0, 12), UNION: (0, 12), ENUM: (0, 8),
           _FUNC_PROTO: (0, 8), _VAR: (4, 0), _DATASEC: (0, 12), _DECL_TAG: (4, 0),
           _ENUM64: (0, 12)}  # fmt: skip


@dataclass(frozen=True)
class Type:
    """A type where it stands: ``at`` in the blob, ``body`` behind its three words."""

    number: int
    at: int
    name: str
    kind: int
    count: int

    @property
    def body(self) -> int:
        return self.at + _TYPE.size


class Blob:
    """A kernel's BTF that can be written to."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        _, _, _, length, types, size, strings, string_size = _HEADER.unpack_from(data)
        self.types = slice(length + types, length + types + size)
        self.strings = slice(length + strings, length + strings + string_size)
        self.all = list(self._walk())
        self.named = {(t.kind, t.name): t for t in reversed(self.all)}

    def _walk(self) -> Iterator[Type]:
        at, number = self.types.start, 1
        while at < self.types.stop:
            name, info, _ = _TYPE.unpack_from(self.data, at)
            kind, count = info >> 24 & 31, info & 0xFFFF
            yield Type(number, at, self._name(name), kind, count)
            own, each = _BEHIND.get(kind, (0, 0))
            at, number = at + _TYPE.size + own + each * count, number + 1

    def _name(self, offset: int) -> str:
        start = self.strings.start + offset
        return self.data[start : self.data.index(0, start)].decode(errors="replace")

    def struct(self, name: str) -> Type:
        return self.named[STRUCT, name]

    def of(self, kind: int) -> list[Type]:
        return [each for each in self.all if each.kind == kind]

    def put(self, at: int, *words: int) -> None:
        struct.pack_into(f"<{len(words)}I", self.data, at, *words)

    def word(self, at: int) -> int:
        return int(struct.unpack_from("<I", self.data, at)[0])


Forgery = Callable[[Blob, random.Random], None]


def _itself(blob: Blob, _: random.Random) -> None:
    """A structure that contains itself by value."""
    own = blob.struct("list_head")
    blob.put(own.body + 4, own.number)


def _each_other(blob: Blob, _: random.Random) -> None:
    """Two that contain each other."""
    one, other = blob.struct("list_head"), blob.struct("hlist_head")
    blob.put(one.body + 4, other.number)
    blob.put(other.body + 4, one.number)


def _itself_in_an_array(blob: Blob, _: random.Random) -> None:
    own, array = blob.struct("list_head"), blob.of(ARRAY)[0]
    blob.put(array.body, own.number)
    blob.put(own.body + 4, array.number)


def _typedef_of_itself(blob: Blob, _: random.Random) -> None:
    own = blob.named[TYPEDEF, "u32"]
    blob.put(own.at + 8, own.number)


def _consts_in_a_circle(blob: Blob, _: random.Random) -> None:
    consts = blob.of(CONST)
    one, other = consts[0], consts[-1]
    blob.put(one.at + 8, other.number)
    blob.put(other.at + 8, one.number)


def _array_of_itself(blob: Blob, _: random.Random) -> None:
    own = blob.of(ARRAY)[0]
    blob.put(own.body, own.number)


def _huge_arrays(blob: Blob, _: random.Random) -> None:
    for array in blob.of(ARRAY):
        blob.put(array.body + 8, 0xFFFFFFFF)


def _arrays_of_arrays(blob: Blob, _: random.Random) -> None:
    """2^31 elements in each of 40 dimensions."""
    arrays = blob.of(ARRAY)[:40]
    for array, inner in itertools.pairwise(arrays):
        blob.put(array.body, inner.number)
        blob.put(array.body + 8, 1 << 31)


def _huge_structures(blob: Blob, _: random.Random) -> None:
    for each in blob.of(STRUCT):
        blob.put(each.at + 8, 0xFFFFFFFF)


def _members_far_away(blob: Blob, _: random.Random) -> None:
    for each in blob.of(STRUCT):
        for member in range(each.count):
            blob.put(each.body + 12 * member + 8, 0x7FFFFFF8)


def _no_integers(blob: Blob, _: random.Random) -> None:
    """Sizes and bits of integers that are none."""
    for number, each in enumerate(blob.of(INT)):
        blob.put(each.at + 8, (0, 255, 1 << 30, 3)[number % 4])
        blob.put(each.body, 0xFFFFFFFF)


def _names_of_everything(blob: Blob, rng: random.Random) -> None:
    place = blob.strings
    for at in range(place.start + 1, place.stop - 1):
        if blob.data[at] and rng.random() < 0.05:
            blob.data[at] = rng.choice(b"\n\x1b\"\\'`$;{}()<> \x80\xff%")


def _names_past_the_end(blob: Blob, rng: random.Random) -> None:
    for each in rng.sample(blob.all, 50):
        blob.put(each.at, 0xFFFFFFF0)


def _one_name(blob: Blob, _: random.Random) -> None:
    """Every structure is called task_struct."""
    name = blob.word(blob.struct("task_struct").at)
    for each in blob.of(STRUCT):
        blob.put(each.at, name)


def _no_names(blob: Blob, _: random.Random) -> None:
    for each in blob.all:
        blob.put(each.at, 0)


def _references_past_the_end(blob: Blob, rng: random.Random) -> None:
    for each in rng.sample(blob.of(PTR), 50):
        blob.put(each.at + 8, 0x7FFFFFFF)


def _pointers_to_anything(blob: Blob, rng: random.Random) -> None:
    """References lead to types of any kind, where only some make sense."""
    for each in rng.sample(blob.of(PTR) + blob.of(CONST) + blob.of(TYPEDEF), 3000):
        blob.put(each.at + 8, rng.randrange(len(blob.all)))


def _members_of_anything(blob: Blob, rng: random.Random) -> None:
    for each in rng.sample(blob.of(STRUCT), 300):
        for member in range(each.count):
            blob.put(each.body + 12 * member + 4, rng.randrange(len(blob.all)))


def _parameters_of_anything(blob: Blob, rng: random.Random) -> None:
    for each in rng.sample(blob.of(_FUNC_PROTO), 300):
        for parameter in range(each.count):
            blob.put(each.body + 8 * parameter + 4, rng.randrange(len(blob.all)))


def _too_many_members(blob: Blob, _: random.Random) -> None:
    each = blob.struct("task_struct")
    blob.put(each.at + 4, blob.word(each.at + 4) | 0xFFFF)


def _a_deep_chain(blob: Blob, _: random.Random) -> None:
    """All pointers in one chain."""
    chain = blob.of(PTR)
    for each, below in itertools.pairwise(chain):
        blob.put(each.at + 8, below.number)


def _nested_deeply(blob: Blob, _: random.Random) -> None:
    """Every structure contains the next by value."""
    chain = [each for each in blob.of(STRUCT) if each.count]
    for each, below in itertools.pairwise(chain):
        blob.put(each.body + 4, below.number)


def scattered(blob: Blob, rng: random.Random) -> None:
    """Bytes anywhere in the types."""
    for _ in range(rng.choice((1, 5, 50, 1000))):
        blob.data[rng.randrange(blob.types.start, blob.types.stop)] = rng.randrange(256)


#: By name.
FORGERIES: Mapping[str, Forgery] = {
    function.__name__.strip("_"): function
    for function in (
        _itself, _each_other, _itself_in_an_array, _typedef_of_itself, _consts_in_a_circle,
        _array_of_itself, _huge_arrays, _arrays_of_arrays, _huge_structures, _members_far_away,
        _no_integers, _names_of_everything, _names_past_the_end, _one_name, _no_names,
        _references_past_the_end, _pointers_to_anything, _members_of_anything,
        _parameters_of_anything, _too_many_members, _a_deep_chain, _nested_deeply,
    )
}  # fmt: skip
