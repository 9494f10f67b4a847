# SPDX-License-Identifier: GPL-3.0-or-later
"""Going back to the session as it was started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import SessionError
from .applied import read_record
from .restart import restart_as_before

if TYPE_CHECKING:
    from .host import Host


def undo(host: Host) -> None:
    """Take the last ``--apply`` back.

    What was re-initialised as it ran goes on in the process that it was copied from, which
    has waited; where crash was started again, it is started again as the first time.

    Raises:
        SessionError: nothing was applied, or how the session was started is not known.
    """
    record = read_record(host)
    if record is None or record.undone is not None:
        raise SessionError("nothing was applied in this session: there is nothing to undo")
    taken_back = record.taken_back().packed()
    if host.origin_waits:
        host.go_back(taken_back)
    elif record.way == "in process" or not record.command_line:
        raise SessionError(
            "not undone, the session is as it was: how it was started is not known any more"
        )
    else:
        host.write("Starting crash again as it was started.\n")
        restart_as_before(host, record.command_line, taken_back)
