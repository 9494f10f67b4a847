# SPDX-License-Identifier: GPL-3.0-or-later
"""Completion for zsh: a function for each command, in the words of _arguments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .tree import Command, Option

_HEAD = """\
#compdef qemufix
# SPDX-License-Identifier: GPL-3.0-or-later
# zsh completion for qemufix.  Made by `make generated`.
"""


def script(commands: Sequence[Command]) -> str:
    """The script."""
    by_words = {command.words: command for command in commands}
    functions = ["\n".join(_function(command, by_words)) for command in commands]
    return "\n".join([_HEAD, *functions, '_qemufix "$@"', ""])


def _function(command: Command, by_words: dict[tuple[str, ...], Command]) -> Iterator[str]:
    yield f"{_name(command)}() {{"
    specs = [spec for option in command.options for spec in _specs(option)]
    if not command.below:
        specs += ["'*:file:_files'"] if command.arguments else []
        yield "    _arguments \\"
        yield " \\\n".join(f"        {spec}" for spec in specs)
        yield "}\n"
        return
    yield '    local curcontext="$curcontext" state line'
    yield "    local -a commands"
    yield "    commands=("
    for name in command.below:
        summary = by_words[(*command.words, name)].summary
        yield f"        {_quoted(f'{name}:{summary}')}"
    yield "    )"
    yield "    _arguments -C \\"
    specs += ["'1:command:->command'", "'*::argument:->argument'"]
    yield " \\\n".join(f"        {spec}" for spec in specs)
    yield "    case $state in"
    yield "    command) _describe -t commands command commands ;;"
    yield "    argument) (( $+functions[%s-$line[1]] )) && %s-$line[1] ;;" % ((_name(command),) * 2)
    yield "    esac"
    yield "}\n"


def _specs(option: Option) -> Iterator[str]:
    """One of each name: it is not offered again, nor is another name of the same."""
    others = "" if option.repeats else f"({' '.join(option.names)})"
    for name in option.names:
        takes = ("=" if name.startswith("--") else "+") if option.metavar else ""
        text = option.help.replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
        first = "*" if option.repeats else others
        yield _quoted(f"{first}{name}{takes}[{text}]{_value(option)}")


def _value(option: Option) -> str:
    if not option.metavar:
        return ""
    if option.words:
        return f":value:({' '.join(option.words)})"
    return ":file:_files" if option.takes_file else ":value: "


def _name(command: Command) -> str:
    return "_" + command.name


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
