# SPDX-License-Identifier: GPL-3.0-or-later
"""In what the answers on two vmlinux files may differ, class by class, and how each is checked.

A class is what it takes out of two answers, the debug vmlinux's and the other's: they differ in it
and in nothing else where they are equal without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

#: Both answers, the debug vmlinux's first.
Pair = tuple[str, str]

#: gdb numbers the values that it printed, failed ones not; crash's own heap and code.
_HISTORY = re.compile(r"\$\d+ = ")
_OWN = re.compile(r"\b(?:0x)?(?:5555[0-9a-f]{8}|7fff[0-9a-f]{8})\b")
#: A flag of crash's kernel_table (defs.h), shown by ``help -k``.
_DWARF_UNWIND_EH_FRAME = 0x400000
_NO_VARIABLE = re.compile(
    r"p: gdb request failed: p \w+|refused: ObjectNotFoundError: could not find '\w+'"
)
_NESTED = re.compile(r"(?<!type = )\b((?:struct|union)(?: \w+)?) \{[^{}]*\}")
_SOURCE = r"[\w./+-]+\.[chS]"


@dataclass(frozen=True, slots=True)
class Kind:
    """One class: what it is, and two answers without it."""

    means: str
    without: Callable[[Pair], Pair]


def usual(answer: str) -> str:
    """An answer without what differs between any two sessions of crash."""
    return _OWN.sub("OWN", _HISTORY.sub("$ = ", answer))


def differ_in(kinds: Iterable[str], debug: str, made: str) -> bool:
    """Whether two answers are the same but for these kinds."""
    pair = debug, made
    for kind in kinds:
        pair = KINDS[kind].without(pair)
    return pair[0] == pair[1]


def _of_each(reduce: Callable[[str], str]) -> Callable[[Pair], Pair]:
    return lambda pair: (reduce(pair[0]), reduce(pair[1]))


def _dropped(*patterns: str, by: str = "") -> Callable[[Pair], Pair]:
    """Whatever matches, and lines and blanks that are empty then."""

    def reduce(answer: str) -> str:
        for pattern in patterns:
            answer = re.sub(pattern, by, answer, flags=re.MULTILINE)
        return "\n".join(line.rstrip() for line in answer.splitlines() if line.strip())

    return _of_each(reduce)


def _arrays(answer: str) -> str:
    """Dimensions as their product, values without the braces between them."""
    whole = re.sub(
        r"(?:\[\d+\]){2,}", lambda m: f"[{prod(map(int, re.findall(r'[0-9]+', m[0])))}]", answer
    )
    return re.sub(r"[\s{},]+", " ", whole)


def _unwinding(answer: str) -> str:
    answer = re.sub(
        r"^(?:Backtrace stopped: .*|\(More stack frames follow.*)\n?", "", answer, flags=re.M
    )
    flags = re.sub(
        r"(?<= flags: )[0-9a-f]+", lambda m: f"{int(m[0], 16) & ~_DWARF_UNWIND_EH_FRAME:x}", answer
    )
    return flags.replace("|DWARF_UNWIND_EH_FRAME", "").rstrip("\n")


def _sizes(pair: Pair) -> Pair:
    """Of [address, [symbol, its address] or null] those where the made one's is farther."""
    try:
        lists = [json.loads(answer) for answer in pair]
        kept = [
            (debug, made)
            for debug, made in zip(*lists, strict=True)
            if not (debug[0] == made[0] and _not_farther(debug[1], made[1]))
        ]
    except (ValueError, TypeError, IndexError):
        return pair
    return json.dumps([debug for debug, _ in kept]), json.dumps([made for _, made in kept])


def _not_farther(debug: Sequence[Any] | None, made: Sequence[Any] | None) -> bool:
    """``$x`` and the like are arm64's marks of code and data, which kallsyms does not have.

    An array of thunks has a size around them; kallsyms has no sizes, and its thunks are nearer.
    """
    if debug is None or made is None:
        return debug is None or debug[0].endswith("_thunk_array")
    return bool(debug[0][:1] == "$" or made[1] >= debug[1])


def _entries(answer: str) -> str:
    whole = re.sub(r"^\d{18,}(?=,)", lambda m: str(int(m[0]) & -16), answer, flags=re.M)
    return re.sub(r'^"(?:\[v\w+\])?"$', "", whole, flags=re.M)


def _untyped(pair: Pair) -> Pair:
    """Where the made one has no answer to one variable, or to some of several."""
    debug, made = pair
    if _NO_VARIABLE.fullmatch(made.strip()) and debug:
        return "", ""
    try:
        one, other = json.loads(debug), json.loads(made)
        known = {name: value for name, value in one.items() if other[name] is not None}
        lacking = {name: value for name, value in other.items() if value is not None}
    except (ValueError, AttributeError, KeyError):
        return pair
    return json.dumps(known), json.dumps(lacking)


def _parts(pair: Pair) -> Pair:
    """Of two lists, line by line, those that have no answer in the debug one."""
    debug, made = (answer.splitlines() for answer in pair)
    if len(debug) != len(made):
        return pair
    kept = [
        (one, other) for one, other in zip(debug, made, strict=True) if one.strip(",") != "null"
    ]
    return "\n".join(one for one, _ in kept), "\n".join(other for _, other in kept)


def _frame_pointers(pair: Pair) -> Pair:
    """Of stacks the first frame each; of a list of numbers those that the made one has."""
    try:
        debug, made = (json.loads(answer) for answer in pair)
        if all(isinstance(stack, list) for stack in (*debug, *made)):
            return json.dumps([s[:1] for s in debug]), json.dumps([s[:1] for s in made])
        kept = [(a, b) for a, b in zip(debug, made, strict=True) if b is not None]
    except (ValueError, TypeError):
        return pair
    return json.dumps([a for a, _ in kept]), json.dumps([b for _, b in kept])


def _offsets(pair: Pair) -> Pair:
    """Where gdb gave up the offsets of one: the members alone, no others nested in them."""
    plain = [answer.startswith("type = ") for answer in pair]
    return pair if plain[0] == plain[1] else _of_each(_members)(pair)


def _members(answer: str) -> str:
    """A structure on one line, without remarks and what is inside of its members' braces."""
    text = re.sub(r"/\*.*?\*/", " ", answer, flags=re.DOTALL).replace("{...}", "(...)")
    found = 1
    while found:
        text, found = _NESTED.subn(lambda m: m[1] if " " in m[1] else f"{m[1]} (...)", text)
    return " ".join(text.split())


def _nothing(pair: Pair) -> Pair:
    """What is left of answers that are there and have nothing in common."""
    return ("", "") if all(pair) else pair


KINDS: Mapping[str, Kind] = {
    "lines": Kind(
        "source files and line numbers",
        _dropped(
            rf" *{_SOURCE}: \d+",
            rf" at {_SOURCE}:\d+",
            rf"^FILE: .*|^LINE: .*|^\d+\tin {_SOURCE}|^{_SOURCE}$",
            r"^Line \d+ of \"\S+\" starts at address (?=\S+ <)| and ends at \S+ <\S+>\.$",
            r"^No line number information available for address ",
            r"^File .*:$|^(?:\d+:)?\t(?=.)",
        ),
    ),
    "locals": Kind(
        "local variables, and where they and parameters are",
        _dropped(r"^Symbol \w+ is .*|^  (?:Base address|Range) .*|^, length \d+\.$|Scope for .*"),
    ),
    "dimensions": Kind("`[2][3]` is `[6]`: BTF has one dimension", _of_each(_arrays)),
    "empty arrays": Kind(
        "`x[0]` is `x[]`: BTF has the same for both", _dropped(r"\[0\](?=[;)\"])", by="[]")
    ),
    "offsets": Kind(
        "gdb 16 gives no offsets of what has an `x[]` anywhere inside, where others say `x[0]`",
        _offsets,
    ),
    "symbols": Kind(
        "symbols that kallsyms does not have: `__crc_*`, `__kstrtab*`, `.L*`, its own tables",
        _dropped(
            r"^[0-9a-f]+ \(\w\) (?:__crc_|__kstrtab|\.L|kallsyms_|init_per_cpu__)\w*$",
            # Sections' own names, and what lies above _end: crash would not relocate it.
            r"^[0-9a-f]+ \(\w\) (?:__kcrctab\w*|__ksymtab_strings|__init_rodata)$",
            r"^[0-9a-f]+ \(\w\) runtime_(?:ptr|shift)_\w+$",
            r"^[0-9a-f]+ \(\w\) (?:__init_scratch_\w+|sme_workarea)$",
            r"^kallsyms_\w+ = (?:.|\n)*|^p: gdb request failed: p kallsyms_\w+$",
        ),
    ),
    "sections": Kind(
        "in which section a symbol is, where that is not known: its letter, `.gap` and the like",
        _dropped(r"^[0-9a-f]+ \(\w\) \.[\w.]+$", r"(?<=^[0-9a-f]{16}) \(\w\) "),
    ),
    "pid": Kind(
        "`struct pid`, which crash before 8.0.4 is shown in another way",
        _dropped(r"(?<=struct upid numbers)\[\d*\]"),
    ),
    "untyped": Kind("variables whose type BTF does not have, such as a nameless one", _untyped),
    "lengths": Kind(
        "a text that C leaves without a length has the one that it has",
        _dropped(r"(?<= = )0x[0-9a-f]+ <\w+> (?=\")", r"\\n\"$", r"\"$|\.\.\.$"),
    ),
    "ends": Kind(
        "where a variable ends that has no size in kallsyms: an address behind it is named or not",
        _dropped(r" <\w+\+\d+>", r"(?<= \*\))\w+\+0x[0-9a-f]+ = "),
    ),
    "labels": Kind(
        "frames named after a label inside of the function, or with a compiler's suffix",
        _dropped(
            r"_after_hwframe|\.cold(?:\.\d+)?|\.(?:constprop|isra|part)\.\d+"
            r"|(?:secondary|common)_startup_64(?:_no_verify)?"
        ),
    ),
    "sizes": Kind("addresses between functions count to the one before, or to a label", _sizes),
    "aliases": Kind(
        "another symbol of the same address",
        _dropped(r"(?<= \*\))\w+\+0x0 = ", r"(?<=0x[0-9a-f]{16} )<\w+>"),
    ),
    "entries": Kind(
        "arm64's DWARF has functions begin behind their patchable entry: made ones begin at it, "
        "as pointers to them do, and drgn finds the names of vDSO mappings",
        _of_each(_entries),
    ),
    "frame pointers": Kind(
        "without ORC (arm64) drgn unwinds by frame pointers: no leaf functions, no stack pointers",
        _frame_pointers,
    ),
    "parts": Kind(
        "a function in several parts has no address of its own in debug information", _parts
    ),
    "inlined": Kind(
        "gdb shows a thread in the function that it is in, not in one inlined there",
        _dropped(r"(?<=LWP \d) .*", r"^#\d+ .*"),
    ),
    "unwinding": Kind(
        "no DWARF unwind tables: gdb finds no further frame, crash uses ORC as it always does",
        _of_each(_unwinding),
    ),
    "debug information": Kind("what a tool says of the debug information itself", _nothing),
}
