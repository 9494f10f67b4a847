# SPDX-License-Identifier: GPL-3.0-or-later
"""A vmlinux from the user's own debuginfod servers, through elfutils' client library.

The library (debuginfod_find_debuginfo(3)) takes the servers, timeouts and limits from the
environment, keeps what it fetched in its cache, and removes what was left half fetched. The
program ``debuginfod-find`` would do the same, but says how large the file is nowhere, and leaves
a part behind when it is interrupted.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import FetchError, NotFetched, SymbolFileError
from ..text import printable, size_text
from .places import SERVERS, is_build_id, servers
from .vmlinux import Vmlinux

_LIBRARY = "libdebuginfod.so.1"
#: int (*)(debuginfod_client *, long a, long b), debuginfod.h: not 0 ends it.
_PROGRESS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_long, ctypes.c_long)


def fetch(
    build_id: str, *, say: Callable[[str], None], progress: Callable[[str, float], None]
) -> str:
    """The path of the debug information of that build ID, fetched if it is not in the cache.

    ``say`` is told the size and the server as soon as they are known.

    Raises:
        FetchError: no servers are named, or there is no client.
        NotFetched: none of the servers has it, or the one that did sent something else.
        KeyboardInterrupt: nothing is left behind then.
    """
    if not servers():
        raise FetchError(f"{SERVERS} names no server to fetch from")
    if not is_build_id(build_id):
        raise NotFetched("what the dump has for a build ID is none: nothing was asked for")
    library = _library()
    watch = _Watch(library, say, progress)
    with _client(library) as client, _interrupts(watch):
        library.debuginfod_set_progressfn(client, watch.function)
        path = _asked_for(library, client, bytes.fromhex(build_id), watch)
    return _checked(path, build_id)


class _Watch:
    """What the library tells as it goes on, and how it is ended by Ctrl-C."""

    def __init__(
        self,
        library: ctypes.CDLL,
        say: Callable[[str], None],
        progress: Callable[[str, float], None],
    ) -> None:
        self.stopped_by: BaseException | None = None
        self.function = _PROGRESS(self._called)  # has to live as long as it may be called
        self._library, self._say, self._progress = library, say, progress
        self._is_said = False

    def _called(self, client: int, done: int, size: int) -> int:
        """Nothing may be raised into C: what would be ends the transfer instead."""
        try:
            if size > 0 and self.stopped_by is None:
                self._show(client, done, size)
        except Exception as error:
            self.stopped_by = error
        return int(self.stopped_by is not None)

    def _show(self, client: int, done: int, size: int) -> None:
        if not self._is_said:
            self._is_said = True
            url = self._library.debuginfod_get_url(client)
            server = f" from {printable(url)}" if url else ""
            self._say(f"fetching {size_text(size)}{server}")
        self._progress("fetching the vmlinux", min(done / size, 1.0))


def _asked_for(library: ctypes.CDLL, client: int, build_id: bytes, watch: _Watch) -> str:
    path = ctypes.c_void_p()
    fd = library.debuginfod_find_debuginfo(client, build_id, len(build_id), ctypes.byref(path))
    if watch.stopped_by is not None:
        if fd >= 0:
            os.close(fd)
        raise watch.stopped_by
    if fd < 0:
        raise NotFetched(f"not fetched from {' '.join(servers())}: {_problem(-fd)}")
    os.close(fd)
    try:
        return os.fsdecode(ctypes.string_at(path.value or 0))
    finally:
        _free(path)


def _problem(number: int) -> str:
    """debuginfod_find_debuginfo(3), "ERRORS", where strerror's words would mislead."""
    words = {"ENOENT": "no server has this build", "ETIME": "it takes too long"}
    return words.get(errno.errorcode.get(number, ""), os.strerror(number))


def _checked(path: str, build_id: str) -> str:
    try:
        with Vmlinux(path) as vmlinux:
            found = vmlinux.build_id
    except SymbolFileError as error:
        problem = error.problem
    else:
        if found == build_id:
            return path
        problem = f"its build ID is {found}"
    with suppress(OSError):  # or it would be taken from the cache for good
        Path(path).unlink()
    raise NotFetched(f"the server sent another file than the vmlinux asked for: {problem}")


@contextmanager
def _interrupts(watch: _Watch) -> Iterator[None]:
    """Have Ctrl-C end the transfer: raised in a function that C called, it would be lost."""

    def note(*_: object) -> None:
        watch.stopped_by = KeyboardInterrupt()

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    try:
        signal.signal(signal.SIGINT, note)
    except ValueError:  # not the main thread, which is the one to be interrupted
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def _client(library: ctypes.CDLL) -> Iterator[int]:
    client = library.debuginfod_begin()
    if not client:
        raise FetchError("libdebuginfod can't be started")
    try:
        yield client
    finally:
        library.debuginfod_end(client)


def _library() -> ctypes.CDLL:
    """The library, its functions declared as in debuginfod.h."""
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        raise FetchError(
            f"fetching needs {_LIBRARY}: install libdebuginfod1 (Debian, Ubuntu, SUSE) or "
            "elfutils-debuginfod-client (Fedora, RHEL)"
        ) from None
    handle = ctypes.c_void_p
    declared: dict[str, tuple[Any, list[Any]]] = {
        "debuginfod_begin": (handle, []),
        "debuginfod_end": (None, [handle]),
        "debuginfod_set_progressfn": (None, [handle, _PROGRESS]),
        "debuginfod_get_url": (ctypes.c_char_p, [handle]),
        "debuginfod_find_debuginfo": (
            ctypes.c_int,
            [handle, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(handle)],
        ),
    }
    for name, (result, arguments) in declared.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _free(pointer: ctypes.c_void_p) -> None:
    free = ctypes.CDLL(None).free
    free.argtypes = [ctypes.c_void_p]
    free(pointer)
