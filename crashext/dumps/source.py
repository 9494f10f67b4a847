# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the bytes of a dump come from: a file, or a container rebuilt into one."""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial

from ..errors import CorruptDump, UnreadableDump, UnsupportedDump

_PREAD_LIMIT = 1 << 30  # Linux returns at most 0x7ffff000 bytes from one read


class Source(ABC):
    """Random access to the bytes of one (possibly rebuilt) dump image.

    Attributes:
        path: the file as the user named it.
        size: length of the image in bytes.
        stored: bytes really held; less than ``size`` where the image has holes.
            A table in a header can't be larger than this.
        complete: False when the file is cut off.
        flattened: True for makedumpfile's flattened container.
        warnings: what looked odd, a line each.
    """

    path: str
    size: int
    stored: int
    complete: bool = True
    flattened: bool = False
    warnings: tuple[str, ...] = ()

    @abstractmethod
    def pread(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``, fewer only at the end of the image.

        Raises:
            UnreadableDump: the system can't read the file there.
        """

    def walker(self) -> Callable[[int, int], bytes]:
        """A read of ``(size, offset)`` for loops over many small headers.

        It may raise OSError, and is only for a ``size`` that is harmless.
        """
        return lambda size, offset: self.pread(offset, size)

    def exactly(self, offset: int, size: int, what: str) -> bytes:
        """Return ``size`` bytes from ``offset``, which hold ``what``.

        Raises:
            CorruptDump: the image ends before.
        """
        if offset < 0 or size < 0 or offset + size > self.size:
            raise CorruptDump(
                f"{what} of {size} bytes does not fit in the {self.size} bytes there are",
                path=self.path,
                offset=offset,
            )
        data = self.pread(offset, size)
        if len(data) != size:
            raise CorruptDump(f"the file ends inside {what}", path=self.path, offset=offset)
        return data

    @abstractmethod
    def close(self) -> None:
        """Release the file."""


class FileSource(Source):
    """A regular file or block device, read with pread(2).

    It is not mapped: a mapped file that shrinks kills the process with SIGBUS.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = _open(path)
        try:
            self.size = self.stored = _size(self._fd, path)
        except BaseException:
            os.close(self._fd)
            raise

    def pread(self, offset: int, size: int) -> bytes:
        """Bytes of the file, see :meth:`Source.pread`."""
        # os.pread makes room for all that is asked for, however short the file is.
        size = min(size, self.size - offset)
        if size <= 0:
            return b""
        try:
            data = os.pread(self._fd, min(size, _PREAD_LIMIT), offset)
            if len(data) == size or not data:
                return data
            return self._rest(data, offset, size)
        except (OSError, OverflowError) as error:
            raise UnreadableDump(f"can't read: {error}", path=self.path, offset=offset) from None

    def walker(self) -> Callable[[int, int], bytes]:
        """pread(2) itself, without the checks: half the time."""
        return partial(os.pread, self._fd)

    def _rest(self, data: bytes, offset: int, size: int) -> bytes:
        """Go on after a short read, up to the end of the file."""
        parts = [data]
        have = len(data)
        while have < size:
            data = os.pread(self._fd, min(size - have, _PREAD_LIMIT), offset + have)
            if not data:
                break
            parts.append(data)
            have += len(data)
        return b"".join(parts)

    def close(self) -> None:
        """Close the file; calling it again does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Window(Source):
    """What lies behind ``start`` of another source."""

    def __init__(self, inner: Source, start: int) -> None:
        self._inner = inner
        self._start = start
        self.path = inner.path
        self.size = inner.size - start
        self.stored = min(inner.stored, self.size)
        self.complete = inner.complete
        self.warnings = inner.warnings

    def pread(self, offset: int, size: int) -> bytes:
        """Bytes of the window, see :meth:`Source.pread`."""
        return self._inner.pread(self._start + offset, size)

    def close(self) -> None:
        """Close the file."""
        self._inner.close()


def _open(path: str) -> int:
    try:
        if os.path.realpath(path) == "/proc/kcore":
            raise UnsupportedDump(
                "this is the running kernel's own memory (/proc/kcore), not a dump", path=path
            )
        # O_NONBLOCK: opening a FIFO without a writer must not hang.
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableDump(f"can't open: {reason}", path=path) from None


def _size(fd: int, path: str) -> int:
    mode = os.fstat(fd).st_mode
    if stat.S_ISDIR(mode):
        raise UnreadableDump("this is a directory, not a dump file", path=path)
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise UnreadableDump(
            "neither a regular file nor a block device: a dump needs random access", path=path
        )
    try:
        size = os.lseek(fd, 0, os.SEEK_END)
    except OSError as error:
        raise UnreadableDump(f"can't seek: {error.strerror}", path=path) from None
    if size == 0:
        raise UnreadableDump("the file is empty", path=path)
    return size
