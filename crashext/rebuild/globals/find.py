# SPDX-License-Identifier: GPL-3.0-or-later
"""Which type of the table is a kernel's: that of the nearest kernels, if it fits and is one.

A wrong type is worse than none. A variable is left out where its type is not in BTF, where it
is larger than the room there is for it, and where the nearest kernels below and above have
types that both fit, but are not the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from ...symbols.btf import Btf, Kind
from ..shape import Shape, Variable, Wrap
from .expression import Expression
from .measure import Place, Read
from .names import Names
from .shapes import resolve
from .table import Table, series_of, table

_RENAMING = (Kind.TYPEDEF, Kind.CONST, Kind.VOLATILE)
_DEEPEST = 32
#: Bytes: no alignment but that of a cache line or a page leaves so many behind a pointer.
_ROOM_FOR_MORE = 64


def globals_of(
    btf: Btf,
    symbols: Iterable[tuple[str, int, int | None]],
    *,
    arch: str,
    release: str,
    read: Read,
    readonly: Callable[[int], bool] = lambda _: False,
    known: Table | None = None,
) -> Iterator[Variable]:
    """The global variables of a kernel whose types are known, in the order of ``symbols``.

    ``symbols`` of data: name, address and how many bytes there are up to the next symbol of any
    kind, None where that is unknown. A name that comes twice stands for two variables, and is
    left out. ``arch`` is the descriptor's name, ``release`` that of uname. ``read`` takes an
    address of ``symbols`` and a size. ``readonly`` tells of an address whether it is in what the
    kernel never writes to, so that zeros at an array's end can be told from elements: .rodata
    without what is made read-only after start-up.

    Raises:
        TypesError: the names in BTF are damaged.
    """
    known = table() if known is None else known
    listed = [symbol for symbol in symbols if symbol[0] in known]
    often = Counter(name for name, _, _ in listed)
    finder = Finder(known, Names(btf), arch, release, read)
    for name, vaddr, room in listed:
        if often[name] == 1 and room != 0:
            shape = finder.shape(name, Place(vaddr, room, readonly(vaddr)))
            if shape is not None:
                yield Variable(name, shape, vaddr)


class Finder:
    """Chooses among the table's expressions for one kernel."""

    def __init__(self, known: Table, names: Names, arch: str, release: str, read: Read) -> None:
        self._table = known
        self._names = names
        self._read = read
        self._nearest = known.nearest(arch, series_of(release))
        self._seen = known.seen(arch, series_of(release))

    def shape(self, name: str, place: Place) -> Shape | None:
        """The type of a variable, None where it is not known for certain."""
        alternatives = self._table.alternatives(name)
        for kernels in self._nearest:
            near = [expression for expression, having in alternatives if having & kernels]
            shapes = [shape for each in near if (shape := self._resolve(each, place))]
            if shapes:
                alike = len({self._essence(shape) for shape in shapes}) == 1
                best = max(shapes, key=_lengths)
                doubtful = _is_lost(best, place) and (
                    not kernels & self._seen or self._is_another(alternatives, near, place)
                )
                return best if alike and not doubtful else None
        return None

    def _is_another(
        self, alternatives: Sequence[tuple[Expression, int]], near: list[Expression], place: Place
    ) -> bool:
        """Whether other kernels have what would fill the room: stable series change types, too."""
        others = (self._resolve(each, place) for each, _ in alternatives if each not in near)
        return any(shape is not None and not _is_lost(shape, place) for shape in others)

    def _resolve(self, expression: Expression, place: Place) -> Shape | None:
        return resolve(expression, self._names, place, self._read)

    def _essence(self, shape: Shape) -> tuple[tuple[Wrap, ...], int]:
        """What two shapes share that differ in qualifiers, names for types and lengths alone."""
        btf, base = self._names.btf, shape.type_id
        for _ in range(_DEEPEST):
            if btf.kind(base) not in _RENAMING:
                break
            base = btf.reference(base)
        wraps = (None if isinstance(each, int) else each for each in shape.wraps)
        return tuple(each for each in wraps if each in (None, "pointer")), base


def _is_lost(shape: Shape, place: Place) -> bool:
    """Whether it is a pointer with room for what it used to point to.

    Kernels turn pointers into what they point to more often than they leave room behind one.
    """
    is_pointer = shape.wraps[:1] == ("pointer",)
    return is_pointer and place.room is not None and place.room >= _ROOM_FOR_MORE


def _lengths(shape: Shape) -> tuple[int, ...]:
    return tuple(each for each in shape.wraps if isinstance(each, int))
