# SPDX-License-Identifier: GPL-3.0-or-later
"""Every error that crashext raises on purpose, under one base class.

The message of each is one line, fit to be shown to the user after
:func:`crashext.text.printable` (it may carry text from the dump).
"""

from __future__ import annotations


class CrashExtError(Exception):
    """Base of all errors of this package; never raised itself."""


class DumpError(CrashExtError):
    """A dump file can't be used: says the file, the offset and what is wrong.

    ``offset`` is a byte offset in the file, or None where none applies.
    """

    def __init__(self, problem: str, *, path: str, offset: int | None = None) -> None:
        self.problem = problem
        self.path = path
        self.offset = offset
        where = path if offset is None else f"{path}: offset {offset:#x}"
        super().__init__(f"{where}: {problem}")


class UnreadableDump(DumpError):
    """The file can't be opened or read: missing, a directory, an I/O error."""


class UnknownFormat(DumpError):
    """The file is no dump that we know."""


class UnsupportedDump(DumpError):
    """The file is a dump of a known kind that we don't read; the message names it."""


class CorruptDump(DumpError):
    """A header, note, page or record of the dump contradicts itself or the file's size."""


class OverBudget(DumpError):
    """Reading the file takes more memory, room on disk or work than is allowed.

    The message names the limit, and the option that raises it where there is one.
    """


class MissingMemory(CrashExtError):
    """The dump holds no memory at a guest-physical address.

    ``paddr`` is the first missing byte.
    """

    reason = "the dump has no memory there"

    def __init__(self, *, paddr: int, path: str = "") -> None:
        self.paddr = paddr
        self.path = path
        super().__init__(f"{path + ': ' if path else ''}physical address {paddr:#x}: {self.reason}")


class ExcludedPage(MissingMemory):
    """The page exists in the guest, but whoever wrote or filtered the dump left it out."""

    reason = "the page was left out of the dump"


class TruncatedPage(MissingMemory):
    """The page was in the dump, but the file is cut off before it."""

    reason = "the dump is cut off before that page"


class OtherPart(MissingMemory):
    """The page is in another file of a dump that was written split, which wasn't given."""

    reason = "the page is in another file of the split dump"


class SymbolFileError(CrashExtError):
    """A vmlinux can't be used: not readable, not an ELF, without a symbol table."""

    def __init__(self, problem: str, *, path: str) -> None:
        self.problem = problem
        self.path = path
        super().__init__(f"{path}: {problem}")


class FetchError(CrashExtError):
    """Nothing can be fetched: no server is named, or there is nothing to ask one with."""


class NotFetched(FetchError):
    """The servers asked do not have a vmlinux, do not answer, or sent something else."""


class TypesError(CrashExtError):
    """A kernel's own description of its types (BTF) can't be used: damaged, or no BTF.

    ``offset`` is a byte offset in the BTF, or None where none applies.
    """

    def __init__(self, problem: str, *, offset: int | None = None) -> None:
        self.problem = problem
        self.offset = offset
        super().__init__(f"BTF: {problem}" if offset is None else f"BTF: {offset:#x}: {problem}")


class RebuildError(CrashExtError):
    """No vmlinux can be made from a dump: it holds too little of its kernel."""


class RepairError(CrashExtError):
    """A dump is not repaired: the file can't be changed as asked, or must not be."""


class NotCertain(RepairError):
    """A dump is not repaired: where its kernel lies is not certain enough."""


class EngineError(CrashExtError):
    """What was to look at many dumps can't be reached, was lost, or can't do it."""


class LaunchError(CrashExtError):
    """A tool is not started: there is none for the dump, or nothing that it could open."""


class SessionError(CrashExtError):
    """The crash session refused or failed something that was asked of it."""
