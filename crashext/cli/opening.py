# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump as a tool is to open it: its kernel, the vmlinux for it, and the tool's program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from .progress import Progress
from .render import location_text

if TYPE_CHECKING:
    from ..launch.case import Case, Tool
    from ..launch.which_vmlinux import Taken, Ways
    from ..locate import Found
    from .job import Job


class Options(NamedTuple):
    """The command line of ``crash``, ``drgn`` or ``gdb``, as given."""

    words: tuple[str, ...]
    vmlinux: tuple[str, ...]
    kernel: str | None
    program: str | None
    fetch: bool
    dry_run: bool


class Words(NamedTuple):
    """What the words of the command line are: kernels, dumps, options of the tool."""

    vmlinux: tuple[str, ...]
    dumps: tuple[str, ...]
    options: tuple[str, ...]


class Opening(NamedTuple):
    """What the command line asks for, and who is told how it goes."""

    job: Job
    tool: Tool
    words: Words
    options: Options
    progress: Progress

    @contextmanager
    def opened(self) -> Iterator[tuple[Case, list[str]] | None]:
        """What is known of the dump, and the program; None where no kernel was found, said here.

        Raises:
            LaunchError: there is no such program for the dump, or no vmlinux.
        """
        from ..launch.case import Case, arch_of
        from ..locate import How, finding
        from .physbase import check_damage

        def search(vmlinux: Sequence[str]) -> Found:
            how = How(kernel=options.kernel, progress=self.progress, vmlinux=vmlinux or None)
            return stack.enter_context(finding(dump, **how))

        options, given = self.options, self._told_apart()[0]
        with self.job.open_dump(self.words.dumps, self.progress) as dump, ExitStack() as stack:
            found = search(given)
            check_damage(dump, found.location)
            if found.location.found:
                program = self.tool.program(arch_of(found.location), options.program)
                taken = self._taken(found, program)
                if taken.vouches and not given:
                    found = search([taken.path])
            if not found.location.found:
                self.job.say(location_text(found.location))
                yield None
                return
            if found.location.confidence == "weak":
                self.job.complain(f"it is not certain where the kernel is: {found.location.reason}")
            yield (
                Case(self.words.dumps, dump, found, taken.path, taken.debug, taken.is_made),
                program,
            )

    def _told_apart(self) -> tuple[list[str], list[str]]:
        """The vmlinux given, and debug information alone, which no search can be done with."""
        from ..launch.which_vmlinux import is_debug_only

        given = self.words.vmlinux
        debug = [path for path in given if is_debug_only(path)]
        return [path for path in given if path not in debug], debug

    def _taken(self, found: Found, program: Sequence[str]) -> Taken:
        """The vmlinux, which is said unless it was given."""
        from ..launch import which_vmlinux as which

        ways = self._ways()
        given, debug = self._told_apart()
        if given:
            return which.given_fits(found, debug, ways)
        if debug:
            return which.given_debug(found.location, debug[0], ways)
        taken = which.at_hand(found.location, ways) or which.made(
            found, ways, old_crash=self.tool.is_old(program)
        )
        self.progress.say(taken.line)
        return taken

    def _ways(self) -> Ways:
        from ..launch.which_vmlinux import Ways
        from ..symbols.places import Places

        places = Places(needs_debug_info=True, needs_contents=self.tool.needs_contents)
        return Ways(places, self.options.fetch, self.progress, self.progress.say)
