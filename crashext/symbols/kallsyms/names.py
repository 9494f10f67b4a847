# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of kallsyms, decompressed: those wanted, or all."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from typing import NamedTuple

from .addresses import Addresses
from .layout import Block
from .tables import MOST_NAME, Tables, length_at

#: What no name has.
_STRANGE = re.compile(rb"[^!-~]")
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

    Decompressing 100 000 names takes 0.2 s. Nearly all are ruled out by their first and
    last token alone: a type letter with the beginning of a wanted name, and an end of one.
    """
    tokens, at = tables.tokens, tables.names
    found: dict[str, int] = {}
    keys = {name.encode(): name for name in wanted}
    firsts, lasts = _ends(tokens.text, keys)
    for index in range(tables.count):
        length, start = block[at], at + 1
        if length & 0x80:
            length, start = length_at(block, at)
        at = start + length
        if block[at - 1] not in lasts or block[start] not in firsts:
            continue
        name = b"".join([tokens.text[c] for c in block[start:at]])[1:]
        if name in keys:
            found.setdefault(keys[name], addresses[index])
    return found


def _ends(text: tuple[bytes, ...], names: Iterable[bytes]) -> tuple[set[int], set[int]]:
    """Codes of tokens that a wanted name, its type letter in front, can start and end with."""
    firsts = {c for c, t in enumerate(text) if t and any(n.startswith(t[1:]) for n in names)}
    lasts = {c for c, t in enumerate(text) if t and any(_ends_with(n, t) for n in names)}
    return firsts, lasts


def _ends_with(name: bytes, token: bytes) -> bool:
    """Whether ``token`` is an end of the name, or all of it with a type letter in front."""
    return name.endswith(token) or name == token[1:]


def decompressed(block: Block, tables: Tables) -> list[bytes] | None:
    """All names, nm's letter in front; None where they have more bytes than those of any kernel."""
    token, at = tables.tokens.text.__getitem__, tables.names
    names: list[bytes] = []
    left = _MOST_NAMES
    for _ in range(tables.count):
        length, start = block[at], at + 1
        if length & 0x80:
            length, start = length_at(block, at)
        at = start + length
        name = b"".join(map(token, block[start:at]))
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
