# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of kallsyms, decompressed: those wanted, or all."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, compress, pairwise
from typing import NamedTuple

from .addresses import Addresses
from .layout import Block
from .tables import MOST_NAME, Tables

#: What no name has.
_STRANGE = re.compile(rb"[^!-~]")
_TAIL = 3  # tokens
_MOST_NAMES = 64 << 20  # bytes of all names; those of large kernels take 8 MiB


class Symbol(NamedTuple):
    """One symbol as it runs; ``kind`` is nm's letter, a small one where it is local."""

    vaddr: int
    kind: str
    name: str


class Symbols:
    """All symbols of a kernel, in the order of its table: ascending addresses.

    Attributes:
        names: of each.
        kinds: nm's letter of each, as bytes.
        vaddrs: the run-time address of each. On x86_64 before 6.15 that of a per-CPU variable is
            its offset in the per-CPU area.
        refused: how many were left out, since their names can't be names.
    """

    def __init__(
        self, names: list[str], kinds: bytearray, vaddrs: array[int], refused: int
    ) -> None:
        self.names, self.kinds, self.vaddrs, self.refused = names, kinds, vaddrs, refused

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Symbol]:
        for vaddr, kind, name in zip(self.vaddrs, self.kinds, self.names, strict=True):
            yield Symbol(vaddr, chr(kind), name)


def select(
    block: Block, tables: Tables, addresses: Addresses, wanted: frozenset[str]
) -> dict[str, int]:
    """The addresses of the wanted names; the first of a name wins.

    Decompressing 100 000 names takes 0.2 s. Nearly all are ruled out by their last tokens alone.
    """
    token, found = tables.tokens.text, dict[str, int]()
    keys = {name.encode(): name for name in wanted}
    tails = _Tails(token, keys)
    # A token that is a whole name has the type in front of it.
    lasts = {code for code, t in enumerate(token) if tails[bytes([code])] or t[1:] in keys}
    block = bytes(block[: tables.ends[-1]])  # whose slices are keys of a dictionary
    for index, (at, end) in enumerate(pairwise(chain((tables.names,), tables.ends))):
        if block[end - 1] not in lasts:
            continue
        start = at + 1 if block[at] < 0x80 else at + 2
        if tails[block[max(start + 1, end - _TAIL) : end]]:
            name = b"".join([token[code] for code in block[start:end]])[1:]
            if name in keys:
                found.setdefault(keys[name], addresses[index])
    return found


class _Tails(dict[bytes, bool]):
    """Whether a wanted name ends as these last tokens say, each answer worked out once."""

    def __init__(self, token: Sequence[bytes], names: Iterable[bytes]) -> None:
        super().__init__()
        self._token = token
        self._names = b"".join(name + b"\0" for name in names)

    def __missing__(self, codes: bytes) -> bool:
        tail = b"".join([self._token[code] for code in codes])
        self[codes] = answer = tail + b"\0" in self._names
        return answer


def decompressed(block: Block, tables: Tables) -> list[bytes] | None:
    """All names, nm's letter in front; None where they have more bytes than those of any kernel."""
    token = tables.tokens.text.__getitem__
    names: list[bytes] = []
    left = _MOST_NAMES
    for at, end in pairwise(chain((tables.names,), tables.ends)):
        name = b"".join(map(token, block[at + 1 if block[at] < 0x80 else at + 2 : end]))
        names.append(name)
        left -= len(name)
        if left < 0:
            return None
    return names


def symbols(names: list[bytes], vaddrs: array[int]) -> Symbols:
    """All of them but those whose names no linker would make: a guest wrote them."""
    count, usable = len(names), _usable(names)
    if not all(usable):
        names, vaddrs = list(compress(names, usable)), array("Q", compress(vaddrs, usable))
    texts = b"\0".join(names).decode("ascii").split("\0") if names else []
    kinds = bytearray(name[0] for name in names)
    return Symbols([text[1:] for text in texts], kinds, vaddrs, count - len(names))


def _usable(names: Sequence[bytes]) -> Sequence[bool]:
    """Whether each is a type letter and printable ASCII without blanks, not too long."""
    # One look at all of them is enough for every honest kernel.
    if _STRANGE.search(b"!".join(names)) is None and all(map(_fits, map(len, names))):
        return [True] * len(names)
    return [_fits(len(name)) and not _STRANGE.search(name) for name in names]


def _fits(length: int) -> bool:
    return 1 < length <= MOST_NAME
