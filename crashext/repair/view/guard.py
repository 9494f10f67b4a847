# SPDX-License-Identifier: GPL-3.0-or-later
"""The two processes behind a view: one serves it, one takes it away.

The guard waits for whichever ends first, the reader or the server, then unmounts. If the
guard is killed, the system kills the server with it, and the next view removes the mount
point (see ``places``). They have no terminal and none of our pipes: Ctrl-C in the reader is
not for them, and nobody waits for what they might still say.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import select
import signal
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from ...dumps.source import Source
from ...errors import CrashExtError
from . import places

_PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h
_READY = b"\0"
_PATIENCE = 20.0  # seconds for a mount, which takes some milliseconds
_DEVICE = "/dev/fuse"


class NoView(CrashExtError):
    """A view is not possible here; the message says why."""


def start(source: Source, name: str, reader: int) -> str:
    """Show ``source`` as a file called ``name`` until the process ``reader`` has ended.

    Returns its path.

    Raises:
        NoView: that is not possible here.
    """
    _check()
    try:
        watched = os.pidfd_open(reader)
        place = places.new()
    except OSError as error:
        raise NoView(f"no place for a view: {error.strerror}") from None
    ours, theirs = os.pipe()
    between = os.fork()
    if between == 0:
        _daemon(lambda: _guard(source, name, place, watched, theirs), theirs)
    os.waitpid(between, 0)
    for fd in (watched, theirs, place.fd):
        os.close(fd)
    said = _answer(ours)
    if not said.endswith(_READY):  # libfuse may have warned before
        raise NoView(_reason(said))
    return str(place.mount / name)


def _check() -> None:
    """Say what is missing before anything is started."""
    if importlib.util.find_spec("mfusepy") is None:
        raise NoView("views need the Python package mfusepy, which isn't installed")
    try:
        os.close(os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise NoView(f"views need {_DEVICE}: {error.strerror}") from None


def _answer(pipe: int) -> bytes:
    """What the server said: ready, or why not."""
    said = b""
    with os.fdopen(pipe, "rb", buffering=0) as line:
        while _READY not in said and select.select([line], [], [], _PATIENCE)[0]:
            part = line.read(4096)
            if not part:
                break
            said += part
    return said


def _reason(said: bytes) -> str:
    lines = said.decode("utf-8", "replace").splitlines()
    return next((line for line in lines if "fuse" in line), "the view can't be mounted")


def _daemon(body: Callable[[], None], keep: int) -> NoReturn:
    """Run ``body`` in a process that belongs to nobody; this one ends."""
    try:
        os.setsid()
        if os.fork() == 0:
            _let_go(keep)
            body()
    finally:
        os._exit(0)


def _let_go(keep: int) -> None:
    """Close what others may wait for: pipes, sockets and terminals, all but ``keep``."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    os.chdir("/")
    for fd in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - numbers are wanted
        with suppress(OSError):
            mode = os.fstat(fd).st_mode
            if fd > 2 and fd != keep and not (stat.S_ISREG(mode) or _is_needed(mode, fd)):
                os.close(fd)


def _is_needed(mode: int, fd: int) -> bool:
    """Folders and disks stay, and what is no file at all, such as a pidfd."""
    return stat.S_ISDIR(mode) or stat.S_ISBLK(mode) or stat.S_IFMT(mode) == 0


def _guard(source: Source, name: str, place: places.Place, watched: int, line: int) -> None:
    """Serve until the reader ends; then unmount, also where we are asked to end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    guard, server = os.getpid(), os.fork()
    if server == 0:
        _serve(source, name, place.mount, line, guard)
    os.close(line)
    try:
        ended = os.pidfd_open(server)
        select.select([watched, ended], [], [])
    finally:
        place.clear()
        if places.is_mounted(place.mount):
            # fusermount can't: it wants an /etc/mtab, say. What nobody can end has to end itself.
            os.kill(server, signal.SIGTERM)
        # It goes on for as long as somebody has the file open, such as a pager's child.
        os.waitpid(server, 0)


def _serve(source: Source, name: str, mount: Path, line: int, guard: int) -> NoReturn:
    """The server: says on ``line`` that it is ready, or what libfuse says on its stderr."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if os.getppid() == guard:
            from .files import serve

            os.dup2(line, 2)
            os.close(line)
            serve(source, name, mount, _ready)
    finally:
        os._exit(0)


def _ready() -> None:
    """Say so; nothing is said afterwards."""
    os.write(2, _READY)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 2)
    os.close(nothing)
