# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that takes its own options and passes all others on, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import click


class PassingOn(click.Command):
    """Takes its options by their full names, wherever they stand before ``--``.

    The ``--`` stays among the others. click alone would look into ``-batch`` for options of one
    letter, and find ``-h``.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put our own options first."""
        own, others = self._split(args, ctx)
        return super().parse_args(ctx, [*own, "--", *others])

    def _split(self, args: Sequence[str], ctx: click.Context) -> tuple[list[str], list[str]]:
        alone, with_value = set(ctx.help_option_names), set[str]()
        for option in self.params:
            if isinstance(option, click.Option):
                (alone if option.is_flag else with_value).update(option.opts)
        own: list[str] = []
        others: list[str] = []
        rest = iter(args)
        for word in rest:
            if word == "--":
                others += [word, *rest]
            elif word.partition("=")[0] in with_value:
                own += [word] if "=" in word else [word, *islice(rest, 1)]
            else:
                (own if word in alone else others).append(word)
        return own, others
