# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting crash again with the right options, and nothing else lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SessionError
from .reader import dump_files

if TYPE_CHECKING:
    from .host import Host

#: Set by bridge/restart.c for the new session.
MARKER = "QEMUFIX_RESTARTED"

# getopt_long() takes any unambiguous start of an option's name; these are the
# shortest ones for the options of crash's main() that matter here.
_MACHDEP, _KASLR, _MINIMAL = ("--ma", "--machdep"), ("--ka", "--kaslr"), ("--mi", "--minimal")


def _names(option: str, name: tuple[str, str]) -> bool:
    shortest, full = name
    return option.startswith(shortest) and full.startswith(option)


def _options(args: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Split into (option or word, value), for the options we look at."""
    rest = iter(args)
    for arg in rest:
        option, equals, value = arg.partition("=")
        if arg in {"-m", "-i"} or (not equals and (_names(arg, _MACHDEP) or _names(arg, _KASLR))):
            yield arg, next(rest, None)
        elif arg[:2] in {"-m", "-i"} and arg[:1] == "-" and arg[1:2] != "-":
            yield arg[:2], arg[2:]
        elif option.startswith("--") and equals:
            yield option, value
        else:
            yield arg, None


def _kept(option: str, value: str | None, placed: set[str], keep_script: bool) -> list[str]:
    """What of an old option goes into the new command line; ``placed`` is set anew."""
    if _names(option, _MINIMAL) or _names(option, _KASLR):
        return []
    if option == "-i" and not keep_script:
        return []
    if value is None:
        return [option]
    if option == "-m" or _names(option, _MACHDEP):
        words = [w for w in value.split(",") if w.partition("=")[0] not in placed]
        return ["--machdep", ",".join(words)] if any(words) else []
    return [f"{option}={value}"] if option.startswith("--") else [option, value]


def new_command_line(
    old: Sequence[str],
    crash_args: Sequence[str],
    *,
    keep_script: bool = False,
    files: Sequence[str] = (),
    instead_of: Sequence[str] = (),
) -> list[str]:
    """The argv for the new crash: the old one, with ``crash_args`` for its translation.

    ``files`` are the dump's, where those are not ``instead_of`` any longer.
    ``keep_script`` keeps ``-i FILE``: true when crash has not begun to run it.
    """
    placed = {word.partition("=")[0] for word in crash_args}
    kept = [
        word
        for option, value in _options(old[1:])
        for word in _kept(option, value, placed, keep_script)
    ]
    if files:
        kept = [word for word in kept if word not in instead_of] + list(files)
    return [old[0], *crash_args, *kept]


def carry_over(host: Host) -> bytes:
    """Commands that bring the new session to where this one is."""
    settings = host.settings
    lines = [f"extend {name}" for name in host.extensions()]
    lines.append(f"set scroll {'on' if settings.scroll else 'off'} > /dev/null")
    if settings.radix in {10, 16}:
        lines.append(f"set radix {settings.radix} > /dev/null")
    if settings.debug:
        lines.append(f"set debug {settings.debug} > /dev/null")
    start = "".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape")
    return start + (b"" if host.in_rc_file else host.pending_script())


def restart(
    host: Host, crash_args: Sequence[str], files: Sequence[str] = (), *, record: str = ""
) -> None:
    """Start crash again with ``crash_args``, on ``files`` if there are any.

    A ``.crashrc`` that the command came from runs again as a whole, and an ``-i``
    file after it has not begun; otherwise what is left of the file is carried over.
    """
    old, dumps = host.command_line(), dump_files(host) if files else []
    if files and not set(dumps) <= set(old):
        raise SessionError(
            f"the dump is not on crash's command line: start it by hand on {' '.join(files)}"
        )
    args = new_command_line(
        old, crash_args, keep_script=host.in_rc_file, files=files, instead_of=dumps
    )
    host.restart(args, b"" if host.in_rc_file else carry_over(host), record)


def restart_as_before(host: Host, old: Sequence[str], record: str) -> None:
    """Start crash again with the command line ``old``; its ``-i FILE`` as in :func:`restart`.

    Raises:
        SessionError: a file on it is not there any more.
    """
    now = set(host.command_line())
    kept = [old[0]]
    for option, value in _options(old[1:]):
        if value is None and not option.startswith("-") and option not in now:
            _check_is_there(option)
        if option != "-i" or host.in_rc_file:
            kept += _joined(option, value)
    host.restart(kept, b"" if host.in_rc_file else carry_over(host), record)


def _joined(option: str, value: str | None) -> list[str]:
    if value is None:
        return [option]
    long = option.startswith("--") and not (_names(option, _MACHDEP) or _names(option, _KASLR))
    return [f"{option}={value}"] if long else [option, value]


def _check_is_there(path: str) -> None:
    if not Path(path).exists():
        raise SessionError(
            f"not undone, the session is as it was: {path}, which it was started on, is gone"
        )
