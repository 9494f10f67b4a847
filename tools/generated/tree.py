# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands and their options as plain data, whichever version of click is there."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import NamedTuple

import click

from crashext.cli.commands import cli

#: What stands for a value that is a file, or a program.
_FILES = ("FILE", "OUT", "PROGRAM")
#: Values that are words, where it isn't a choice among them alone.
_WORDS = {
    "--kernel": ("live", "crashed"),
    "--level": ("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"),
}


class Option(NamedTuple):
    """An option: its names, what stands for its value ("" if it has none), its help.

    ``words`` are values that may be offered, ``takes_file`` is whether a file may be,
    ``repeats`` whether it may be given several times.
    """

    names: tuple[str, ...]
    metavar: str
    help: str
    words: tuple[str, ...]
    takes_file: bool
    repeats: bool


class Command(NamedTuple):
    """A command: its words behind ``qemufix``, help, options, arguments, commands below it."""

    words: tuple[str, ...]
    paragraphs: tuple[str, ...]
    options: tuple[Option, ...]
    arguments: str
    below: tuple[str, ...]

    @property
    def name(self) -> str:
        """The words as one, as in the name of its page."""
        return "-".join(("qemufix", *self.words))

    @property
    def summary(self) -> str:
        """The first sentence of its help, without the full stop."""
        return " ".join(self.paragraphs[0].split()).rstrip(".")


def commands() -> list[Command]:
    """All of them, ``qemufix`` itself first."""
    return list(_walk(cli, ()))


def _walk(command: click.Command, words: tuple[str, ...]) -> Iterator[Command]:
    below = command.commands if isinstance(command, click.Group) else {}
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    yield Command(
        words,
        tuple(inspect.cleandoc(command.help or "").split("\n\n")),
        (*(_option(p) for p in command.params if isinstance(p, click.Option)), _help()),
        " ".join(p.metavar or (p.name or "").upper() for p in arguments),
        tuple(sorted(below)),
    )
    for name in sorted(below):
        yield from _walk(below[name], (*words, name))


def _option(option: click.Option) -> Option:
    choices = tuple(option.type.choices) if isinstance(option.type, click.Choice) else ()
    names = (*option.opts, *option.secondary_opts)
    metavar = option.metavar or "|".join(choices) or option.type.name.upper()
    words = next((_WORDS[name] for name in names if name in _WORDS), choices)
    is_file = metavar in _FILES and not words
    shown = "" if option.is_flag else metavar
    return Option(names, shown, option.help or "", words, is_file, option.multiple)


def _help() -> Option:
    return Option(("-h", "--help"), "", "Show this message and exit.", (), False, False)
