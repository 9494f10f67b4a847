# SPDX-License-Identifier: GPL-3.0-or-later
"""Manual pages, in man(7): one of each command, and qemufix(1) around the synopses of all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from crashext import __version__

from .tree import Command, Option

_MARK = "\b\n"  # click's, of a paragraph that is shown as it stands
_SIGNS = str.maketrans(
    {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}
)
_HEAD = '.\\" SPDX-License-Identifier: GPL-3.0-or-later\n.\\" Made by `make generated`.'


def page(command: Command) -> str:
    """The page of one command."""
    text = [p for p in command.paragraphs if not p.startswith(_MARK)]
    shown = [p.removeprefix(_MARK) for p in command.paragraphs if p.startswith(_MARK)]
    lines = [
        _HEAD,
        f'.TH {command.name.upper()} 1 "{_day()}" "qemufix {__version__}" "User Commands"',
    ]
    lines += [".SH NAME", f"{_plain(command.name)} \\- {_plain(_lower(command.summary))}"]
    lines += [".SH SYNOPSIS", *_synopsis(command), ".SH DESCRIPTION"]
    for number, paragraph in enumerate(text):
        lines += [*([".PP"] if number else []), *_filled(paragraph)]
    lines += [".SH OPTIONS", *(line for option in command.options for line in _option(option))]
    if shown:
        lines += [".SH EXAMPLES"]
        for number, paragraph in enumerate(shown):
            lines += [
                *([".PP"] if number else []),
                ".nf",
                *map(_plain, _dedented(paragraph)),
                ".fi",
            ]
    lines += [".SH SEE ALSO", ".BR qemufix (1)"]
    return "\n".join(lines) + "\n"


def overview(template: str, commands: Sequence[Command]) -> str:
    """qemufix(1): the template, with what follows from the commands put in."""
    leaves = [command for command in commands if command.words]
    synopsis = "\n.br\n".join("\n".join(_synopsis(command)) for command in leaves)
    pages = ",\n".join(f".BR {_plain(command.name)} (1)" for command in leaves)
    head, _, rest = template.partition("\n")
    values = {
        "@VERSION@": __version__,
        "@DAY@": _day(),
        "@SYNOPSIS@": synopsis,
        "@PAGES@": pages,
    }
    for mark, value in values.items():
        rest = rest.replace(mark, value)
    return f"{head}\n{_HEAD.splitlines()[1]}\n{rest}"


def _day() -> str:
    """The day of the newest release, which is what changes a page's date."""
    changes = (Path(__file__).parents[2] / "CHANGELOG.md").read_text("utf-8")
    found = re.search(r"^## [0-9.]+ \((.*)\)$", changes, re.MULTILINE)
    return found[1] if found else ""


def _synopsis(command: Command) -> Iterator[str]:
    yield f".B {_plain(' '.join(('qemufix', *command.words)))}"
    metavars = " ".join(filter(None, ("[OPTION]...", command.arguments)))
    yield f".RI {_quoted(metavars)}"


def _option(option: Option) -> Iterator[str]:
    yield ".TP"
    names = ", ".join(f"\\fB{_plain(name)}\\fR" for name in option.names)
    yield names + (f" \\fI{_plain(option.metavar)}\\fR" if option.metavar else "")
    yield from _filled(option.help)


def _filled(text: str) -> Iterator[str]:
    """A paragraph, a sentence a line as roff wants it."""
    for sentence in " ".join(text.split()).replace(". ", ".\n").split("\n"):
        yield _plain(sentence)


def _dedented(text: str) -> list[str]:
    return [line.removeprefix("  ") for line in text.split("\n")]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _quoted(text: str) -> str:
    return '"' + _plain(text) + '"'


def _plain(text: str) -> str:
    """Text in which nothing is roff's."""
    text = text.translate(_SIGNS)
    return f"\\&{text}" if text.startswith(".") else text
