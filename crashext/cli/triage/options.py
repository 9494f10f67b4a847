# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of ``triage`` beside those of a plain run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., int]


def of_triage(command: Command) -> Command:
    """All of them, in the order of the help."""
    for options in (of_repairing, of_watching, of_page):
        command = options(command)
    return command


def of_page(command: Command) -> Command:
    """What is written for people."""
    return _with(
        command,
        click.option("-o", "--output", metavar="FILE", help="Write a page of all in the store."),
        click.option(
            "--reports", metavar="DIR",
            help="Write the report of each dump into DIR; the page leads there.",
        ),
    )  # fmt: skip


def of_watching(command: Command) -> Command:
    """What comes into folders, and what is done with it."""
    return _with(
        command,
        click.option("-w", "--watch", is_flag=True, help="Go on with what comes into the folders."),
        click.option(
            "--rest", metavar="SECONDS", type=click.FloatRange(0, min_open=True), default=2.0,
            help="With --watch: so long a file has to be unchanged; 2 if not given.",
        ),
        click.option(
            "--exec", "call", metavar="COMMAND",
            help="Run COMMAND for each dump looked at; {} is its path, {release} a field.",
        ),
    )  # fmt: skip


def of_repairing(command: Command) -> Command:
    """What is put right."""
    return _with(
        command,
        click.option(
            "--repair", is_flag=True,
            help="Repair what is surely to be: local files in place, others into a file beside.",
        ),
        click.option(
            "--repair-to", metavar="DIR",
            help="Write repaired dumps into DIR, which may be a URL; none is changed.",
        ),
    )  # fmt: skip


def _with(command: Command, *options: Callable[[Any], Any]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
