# SPDX-License-Identifier: GPL-3.0-or-later
"""Inside crash: the session as a source of facts and memory, and putting it right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..dumps.base import Dump
    from .host import Host

__all__ = ["open_session_dump"]


def open_session_dump(host: Host, **limits: Any) -> Dump:
    """The session's dump, read by us where we know its format, else by crash.

    ``limits`` are those of :func:`crashext.dumps.open_dump`.

    Raises:
        SessionError: the session is on a live system.
        DumpError: the file is of a format we know, but damaged.
    """
    from .reader import open_session_dump as opened

    return opened(host, **limits)
