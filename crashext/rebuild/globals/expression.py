# SPDX-License-Identifier: GPL-3.0-or-later
"""How the table writes a type: prefixes, the outermost first, then the name of what they stand for.

| | |
|---|---|
| ``*X`` | pointer to X |
| ``[451]X`` ``[NR_NODE_STATES]X`` ``[MAX_NR_ZONES-1]X`` | array: a number, or an enumerator |
| ``[]X`` | array as long as it is measured to be, without zeros at its end |
| ``[.]X`` | likewise, but one element of zeros belongs to it: it ends there |
| ``[$]X`` | likewise, up to and with the first zero: a text |
| ``[*]X`` | likewise, up to the next symbol |
| ``const X`` ``volatile X`` | |
| ``struct N`` ``union N`` ``enum N`` ``N`` ``void`` | N is a typedef or a number's type |
| ``struct {a,b}`` | the structure without a name that has these members and no others |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Qualifier = Literal["pointer", "const", "volatile"]
#: Ways to measure a length; where several find the right one, the first is written.
Measured = Literal["[$]", "[.]", "[]", "[*]"]
Keyword = Literal["struct", "union", "enum", ""]
_TOKEN = re.compile(
    r"(?P<pointer>\*)"
    r"|\[(?P<how>[.*$]?)\]"
    r"|\[(?P<number>\d{1,12})\]"
    r"|\[(?P<enumerator>[A-Za-z_]\w*)(?P<more>[+-]\d{1,6})?\]"
    r"|(?P<qualifier>const|volatile) "
)
_BASE = re.compile(
    r"(?:(struct|union|enum) )?([A-Za-z_]\w*(?: [A-Za-z_]\w*)*)|(struct) (\{\w+(?:,\w+)*\})"
)


@dataclass(frozen=True, slots=True)
class Length:
    """The length of an array: a number, an enumerator and what is added, or a way to measure it.

    One of ``enumerator`` and ``how`` at most is given; ``how`` is what the brackets hold.
    """

    number: int = 0
    enumerator: str = ""
    how: Measured | Literal[""] = ""

    def __str__(self) -> str:
        if self.how:
            return self.how
        if self.enumerator:
            return f"[{self.enumerator}{self.number:+d}]" if self.number else f"[{self.enumerator}]"
        return f"[{self.number}]"


@dataclass(frozen=True, slots=True)
class Expression:
    """A type: ``prefixes`` from the outside in, around the one that has a name."""

    prefixes: tuple[Qualifier | Length, ...]
    keyword: Keyword
    name: str

    def __str__(self) -> str:
        words = {"pointer": "*", "const": "const ", "volatile": "volatile "}
        prefixes = "".join(
            str(each) if isinstance(each, Length) else words[each] for each in self.prefixes
        )
        return f"{prefixes}{self.keyword} {self.name}" if self.keyword else prefixes + self.name


def parse(text: str) -> Expression:
    """The type that ``text`` writes.

    Raises:
        ValueError: it writes none.
    """
    prefixes: list[Qualifier | Length] = []
    at = 0
    while token := _TOKEN.match(text, at):
        prefixes.append(_prefix(token))
        at = token.end()
    base = _BASE.fullmatch(text, at)
    if base is None:
        raise ValueError(f"no type: {text!r}")
    keyword, name = base[1] or base[3] or "", base[2] or base[4]
    return Expression(tuple(prefixes), keyword, name)  # type: ignore[arg-type]


def _prefix(token: re.Match[str]) -> Qualifier | Length:
    if token["pointer"]:
        return "pointer"
    if token["qualifier"]:
        return token["qualifier"]  # type: ignore[return-value]
    if token["enumerator"]:
        return Length(int(token["more"] or 0), token["enumerator"])
    if token["number"]:
        return Length(int(token["number"]))
    return Length(how=f"[{token['how']}]")  # type: ignore[arg-type]
