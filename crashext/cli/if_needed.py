# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix physbase --apply --quiet``: for a .crashrc, which every session runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import SessionError, UnknownFormat, UnsupportedDump

if TYPE_CHECKING:
    from ..locate.result import Location
    from ..session.host import Host


def wanted(session: Host, search: Callable[[], Location]) -> Location | None:
    """The answer to apply; None where there is nothing to say, let alone to do.

    That is on a live system, on a dump whose memory QEMU did not write, and where an
    ``--undo`` has brought the session here.

    Raises:
        SessionError: QEMU wrote the dump, and no kernel was found for certain.
        DumpError: the file is damaged.
    """
    from ..session.applied import read_record

    record = read_record(session)
    if (record and record.undone) or not _is_from_qemu(session):
        return None
    answer = search()
    if not answer.found:
        raise SessionError(f"not applied: {answer.reason or 'no kernel was found for certain'}")
    return answer


def _is_from_qemu(session: Host) -> bool:
    """Of another tool's making also where that tool filtered what QEMU wrote."""
    from ..detect import detect
    from ..dumps import open_dump
    from ..session.reader import dump_files

    if session.dumpfile is None:
        return False
    try:
        with open_dump(*dump_files(session)) as dump:
            seen = detect(dump)
    except (UnknownFormat, UnsupportedDump):
        return False  # what only crash reads, QEMU does not write
    return seen.from_qemu or seen.memory_source == "qemu"
