# SPDX-License-Identifier: GPL-3.0-or-later
"""Completion for fish."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .tree import Command, Option

_HEAD = """\
# SPDX-License-Identifier: GPL-3.0-or-later
# fish completion for qemufix.  Made by `make generated`.

function __qemufix_in --description 'Whether the words so far are of that command'
    set -l words (commandline -opc)
    set -l found
    for word in $words[2..]
        switch "$found $word"
            case {names}
                set found (string trim -- "$found $word")
        end
    end
    test "$found" = "$argv[1]"
end

complete -c qemufix -f
"""


def script(commands: Sequence[Command]) -> str:
    """The script."""
    names = " ".join(
        _quoted(f"{' '.join(c.words[:-1])} {c.words[-1]}") for c in commands if c.words
    )
    by_words = {command.words: command for command in commands}
    lines = [line for command in commands for line in _lines(command, by_words)]
    return "\n".join([_HEAD.format(names=names), *lines, ""])


def _lines(command: Command, by_words: dict[tuple[str, ...], Command]) -> Iterator[str]:
    condition = '__qemufix_in "' + " ".join(command.words) + '"'
    within = f"complete -c qemufix -n {_quoted(condition)}"
    for name in command.below:
        summary = by_words[(*command.words, name)].summary
        yield f"{within} -a {name} -d {_quoted(summary)}"
    if command.arguments:
        yield f"{within} -F"
    for option in command.options:
        yield f"{within}{_names(option)}{_value(option)} -d {_quoted(option.help)}"


def _names(option: Option) -> str:
    return "".join(
        f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}" for name in option.names
    )


def _value(option: Option) -> str:
    if not option.metavar:
        return ""
    if option.words:
        return f" -x -a {_quoted(' '.join(option.words))}"
    return " -r -F" if option.takes_file else " -x"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
