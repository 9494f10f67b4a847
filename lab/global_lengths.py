# SPDX-License-Identifier: GPL-3.0-or-later
"""How the length of an array is written so that it holds for kernels that nobody has seen.

By what gives the number of each kernel that was seen: an enumerator, whose name has to speak
of the variable's, a way to measure it where the numbers differ, else each number itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import get_args

from crashext.rebuild.globals.expression import Length, Measured

#: Words in the names of enumerators that count.
_COUNTS = {"nr", "max", "num", "count", "cnt", "last", "size", "item", "entrie", "n", "end"}
#: The share of an enumerator's words that a variable must have where it is long in several ways,
#: and where it is as long in all kernels.
_SOME, _ALL = 0.6, 1.0


class Lengths:
    """Chooses among the enumerators of all kernels, each a mapping from name to value."""

    def __init__(self, enumerators: Sequence[Mapping[str, int]]) -> None:
        self._names: list[dict[int, set[str]]] = []
        for kernel in enumerators:
            by_value: dict[int, set[str]] = defaultdict(set)
            for name, value in kernel.items():
                by_value[value].add(name)
            self._names.append(by_value)

    def choose(
        self,
        words: str,
        numbers: Mapping[int, int | None],
        measured: Mapping[int, Mapping[str, int]],
    ) -> dict[int, Length]:
        """How to write a length, by kernel.

        ``words`` are the names of the variable and its type. ``numbers`` has the length in each
        kernel, None where debug information has none; ``measured`` what measuring finds there.
        """
        known = {kernel: number for kernel, number in numbers.items() if number is not None}
        enumerator = self._enumerator(words, known)
        if enumerator is not None:
            return dict.fromkeys(numbers, enumerator)
        if len(set(numbers.values())) == 1 and known:
            return dict.fromkeys(numbers, Length(next(iter(known.values()))))
        for how in get_args(Measured):
            # Where no number is known, the first way that can be gone in all kernels.
            can = all(how in measured[kernel] for kernel in numbers)
            if can and all(measured[kernel][how] == number for kernel, number in known.items()):
                return dict.fromkeys(numbers, Length(how=how))
        return {
            kernel: Length(how="[*]") if number is None else Length(number)
            for kernel, number in numbers.items()
        }

    def _enumerator(self, words: str, numbers: Mapping[int, int]) -> Length | None:
        """The enumerator that is the length in all kernels, if its name says that it is."""
        if not numbers or min(numbers.values()) < 2:
            return None
        differ = len(set(numbers.values())) > 1
        found: list[tuple[float, int, str]] = []
        for more in (0, 1) if differ else (0,):
            sets = [self._names[n].get(number - more, set()) for n, number in numbers.items()]
            for name in set.intersection(*sets):
                score = likeness(words, name)
                # One word in common says nothing where all numbers are the same.
                if score >= _SOME if differ else score >= _ALL and name.count("_") > 1:
                    found.append((score, -more, name))
        if not found:
            return None
        _, more, name = max(found)
        return Length(-more, name)


def likeness(variable: str, enumerator: str) -> float:
    """The share of an enumerator's words that a variable has; 0 for one that does not count."""
    words = _words(enumerator)
    counts = words[:1] + words[-1:]
    if not (_COUNTS.intersection(counts) or enumerator.startswith("__")):
        return 0
    own = set(words) - _COUNTS
    return len(own.intersection(_words(variable))) / len(own) if own else 0


def _words(name: str) -> list[str]:
    return [word.rstrip("s") for word in name.lower().split("_") if word]
