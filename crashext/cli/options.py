# SPDX-License-Identifier: GPL-3.0-or-later
"""What several commands take: dumps, a kernel, how a dump is opened and what that may cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def _keep(context: click.Context, option: click.Parameter, value: Any) -> None:
    """Note an option of opening the dump; one that comes several times as a list."""
    if value is None or value == ():
        return
    try:
        meaning = _MEANINGS.get(str(option.name), str)
        kept = [meaning(each) for each in value] if option.multiple else meaning(value)
        context.obj.opening[option.name] = kept
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _address(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError(f"{text!r} is no address") from None


def _size(text: str) -> int:
    from ..budget import parse_size

    return parse_size(text)


#: What the texts of options stand for, if it isn't themselves.
_MEANINGS: dict[str, Callable[[str], Any]] = {
    "offset": _address,
    "max_memory": _size,
    "max_unpacked": _size,
}


of_dumps = click.argument("dumps", metavar="[DUMP]...", nargs=-1)
with_vmlinux = click.option(
    "--vmlinux", metavar="FILE", multiple=True, help="The kernel's vmlinux, with or without debug."
)
of_kernel = click.option(
    "--kernel", metavar="ID|live|crashed", help="Which one, where there are several."
)
in_json = click.option("--json", "as_json", is_flag=True, help="Print JSON (schema 1).")


def of_fetching(command: Callable[..., int]) -> Callable[..., int]:
    """The option that allows to ask a server."""
    text = "Get the vmlinux from the servers in DEBUGINFOD_URLS, if none is installed."
    return click.option("--fetch", is_flag=True, help=text)(command)


def of_cost(command: Callable[..., int]) -> Callable[..., int]:
    """The options that allow a dump to cost more."""
    for name, text in (
        ("--max-unpacked", "Let unpacking a compressed file take so much of the disk."),
        ("--max-memory", "Let the dump's tables take so much memory; 80M if not given."),
    ):
        command = click.option(name, metavar="SIZE", expose_value=False, callback=_keep, help=text)(
            command
        )
    return command


def of_raw_memory(command: Callable[..., int]) -> Callable[..., int]:
    """The options by which a file without any header is read."""
    for name, metavar, text in (
        (
            "--offset",
            "ADDRESS",
            "Of a raw file: physical address of its first byte, 0 if not given. "
            "Several files need one each, in their order.",
        ),
        ("--format", "raw", "Take the file as plain memory (pmemsave, a memory-backend-file)."),
    ):
        kind = click.Choice(["raw"]) if name == "--format" else None
        command = click.option(
            name,
            metavar=metavar,
            type=kind,
            multiple=name == "--offset",
            expose_value=False,
            callback=_keep,
            help=text,
        )(command)
    return command


def of_detail(command: Callable[..., int]) -> Callable[..., int]:
    """The options for more than a short answer."""
    for names, text in (
        (("--explain",), "Say step by step what was tried, read, found and rejected."),
        (("-v", "--verbose"), "Say more: every check, and what it means."),
    ):
        command = click.option(*names, is_flag=True, help=text)(command)
    return command
