# SPDX-License-Identifier: GPL-3.0-or-later
"""Completion for bash: a function that starts no program; files are left to readline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .tree import Command

_SCRIPT = """\
# SPDX-License-Identifier: GPL-3.0-or-later
# bash completion for qemufix.  Made by `make generated`.

_qemufix() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
    local command="" words="" number
    # --option=value is three words here.
    if [[ $current == "=" ]]; then
        current=""
    elif [[ $before == "=" ]]; then
        before=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi
    for ((number = 1; number < COMP_CWORD; number++)); do
        case "$command ${{COMP_WORDS[number]}}" in
        {names}) command=${{command:+$command }}${{COMP_WORDS[number]}} ;;
        esac
    done
    case "$command:$before" in
{values}
    esac
    if [[ -z $words && $current == -* ]]; then
        case $command in
{options}
        esac
    elif [[ -z $words ]]; then
        case $command in
{below}
        *)
            compopt -o default
            return
            ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}}

complete -F _qemufix qemufix
"""


def script(commands: Sequence[Command]) -> str:
    """The script."""
    names = "|".join(f'"{" ".join(c.words[:-1])} {c.words[-1]}"' for c in commands if c.words)
    values = [line for c in commands for line in _values(c)]
    options = [f'        {_case(c)}) words="{_all(c)}" ;;' for c in commands]
    below = [f'        {_case(c)}) words="{" ".join(c.below)}" ;;' for c in commands if c.below]
    return _SCRIPT.format(
        names=names, values="\n".join(values), options="\n".join(options), below="\n".join(below)
    )


def _values(command: Command) -> Iterator[str]:
    """What follows an option that has a value: words, files, or what nobody can guess."""
    for option in command.options:
        if not option.metavar:
            continue
        which = " | ".join(f'"{" ".join(command.words)}:{name}"' for name in option.names)
        if option.words:
            yield f'    {which}) words="{" ".join(option.words)}" ;;'
        elif option.takes_file:
            yield f"    {which})\n        compopt -o default\n        return\n        ;;"
        else:
            yield f"    {which}) return ;;"


def _case(command: Command) -> str:
    return f'"{" ".join(command.words)}"'


def _all(command: Command) -> str:
    return " ".join(name for option in command.options for name in option.names)
