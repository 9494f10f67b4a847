# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/commands.md: the commands and their options as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .tree import Command

_MARK = "\b\n"
_HEAD = """\
# The commands

<!-- Made by `make generated`. -->

What `--help` says, and `man qemufix-COMMAND`. Exit status: 0 yes or found, 1 answered no, 2 usage,
3 unreadable or damaged file. The JSON of each is in [json.md](json.md).
"""


def page(commands: Sequence[Command]) -> str:
    """The page."""
    sections = ["\n".join(_section(command)) for command in commands if command.words]
    return "\n".join([_HEAD, *sections])


def _section(command: Command) -> Iterator[str]:
    words = " ".join(command.words)
    yield f"## qemufix {words}\n"
    yield f"    {' '.join(filter(None, ('qemufix', words, '[OPTION]...', command.arguments)))}\n"
    for paragraph in command.paragraphs:
        if paragraph.startswith(_MARK):
            lines = paragraph.removeprefix(_MARK).split("\n")
            yield "\n".join(f"    {line.removeprefix('  ')}" for line in lines) + "\n"
        else:
            yield _plain(" ".join(paragraph.split())) + "\n"
    yield "| option | |\n|---|---|"
    for option in command.options:
        names = ", ".join(f"`{name}`" for name in option.names)
        value = f" `{_cell(option.metavar)}`" if option.metavar else ""
        yield f"| {names}{value} | {_plain(option.help)} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _plain(text: str) -> str:
    """Text in which nothing is Markdown's."""
    for sign in "\\`*_[]<>|":
        text = text.replace(sign, f"\\{sign}")
    return text
