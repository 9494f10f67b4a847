# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the bytes of a dump come from: a file, or a container rebuilt into one."""

from __future__ import annotations

import errno
import io
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from ..budget import Budget, Work
from ..errors import CorruptDump, UnreadableDump, UnsupportedDump
from .intervals import close_up

_PREAD_LIMIT = 1 << 30  # Linux returns at most 0x7ffff000 bytes from one read
_HOLE = 1 << 20  # bytes: a smaller hole is read like data
_SAMPLE, _SAMPLES = 4096, 64  # bytes of one, and how many, that tell a file from another


class Source(ABC):
    """Random access to the bytes of one (possibly rebuilt) dump image.

    Attributes:
        path: the file as the user named it.
        size: length of the image in bytes.
        stored: bytes that the file has on disk; less than ``size`` where it has holes or is
            compressed. Work follows these.
        start: where in the file it begins, for headers that count from the file's beginning.
        budget: what the open may cost.
        complete: False when the file is cut off.
        costly: True where reading is dear: over a network.
        flattened: True for makedumpfile's flattened container.
        warnings: what looked odd, a line each.
    """

    path: str
    size: int
    stored: int
    budget: Budget
    start: int = 0
    complete: bool = True
    costly: bool = False
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

    @contextmanager
    def scattered(self) -> Iterator[None]:
        """While it is open reads are small and far apart: what lies around is not worth it."""
        yield

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

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The parts of ``[start, end)`` that may be other than zeros, ascending.

        Small holes between them are not told.
        """
        end = min(end, self.size)
        if start < end:
            yield start, end

    def holds(self, offset: int, size: int) -> bool:
        """Whether the bytes are there, and not zeros in place of what was lost."""
        return offset + size <= self.size

    def work(self, what: str) -> Work:
        """The steps that ``what`` may take."""
        return Work(what, self.path, self.stored)

    @abstractmethod
    def identity(self) -> tuple[object, ...]:
        """What tells the image from any other, also from one at the same path later."""

    @abstractmethod
    def close(self) -> None:
        """Release the file."""


class _Descriptor(int):
    """A file descriptor that is closed when nobody holds it any longer.

    So its number can't be another file's while a thread is still reading from it.
    """

    def __del__(self) -> None:
        os.close(self)


class FileSource(Source):
    """A regular file or block device, read with pread(2).

    It is not mapped: a mapped file that shrinks kills the process with SIGBUS.
    """

    def __init__(self, path: str, budget: Budget | None = None, fd: int | None = None) -> None:
        """Open ``path``, or take ``fd``, which is that file opened."""
        self.path = path
        self.budget = budget or Budget()
        self._fd: int = _Descriptor(_open(path) if fd is None else fd)
        self.size, self.stored = _sizes(self._fd, path)

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
            why = "the dump is closed" if self._fd < 0 else f"can't read: {error}"
            raise UnreadableDump(why, path=self.path, offset=offset) from None

    def fileno(self) -> int:
        """The file's descriptor, for who copies it; -1 once it is closed."""
        return int(self._fd)

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

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """What lies between the file's larger holes, see :meth:`Source.data`."""
        end = min(end, self.size)
        if 0 < end - start < _HOLE:
            yield start, end
            return
        try:
            yield from close_up(self._extents(start, end), _HOLE)
        except OSError:
            yield start, end  # of a file system that doesn't tell, from the first question on

    def _extents(self, at: int, end: int) -> Iterator[tuple[int, int]]:
        while at < end:
            first = self._seek(at, os.SEEK_DATA)
            at = self._seek(first, os.SEEK_HOLE)
            if first < end:
                yield first, min(at, end)

    def _seek(self, offset: int, whence: int) -> int:
        """The next data or hole from ``offset`` on; the file's end where there is none."""
        try:
            return os.lseek(self._fd, offset, whence)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return self.size

    def identity(self) -> tuple[object, ...]:
        """Device, inode, times and a digest of samples, see :meth:`Source.identity`.

        A file that is rewritten in place changes its ctime, unless within a clock tick or
        with the clock set; then the samples tell, where they differ.
        """
        facts = os.fstat(self._fd)
        import hashlib

        digest = hashlib.sha256()
        step = max((self.size - _SAMPLE) // (_SAMPLES - 1), _SAMPLE)
        for at in {*range(0, self.size, step), max(self.size - _SAMPLE, 0)}:
            digest.update(self.pread(at, _SAMPLE))
        times = facts.st_mtime_ns, facts.st_ctime_ns
        return facts.st_dev, facts.st_ino, facts.st_size, *times, digest.hexdigest()

    def close(self) -> None:
        """Let go of the file; calling it again does nothing."""
        self._fd = -1


class Window(Source):
    """What lies behind ``start`` of another source, up to its end or of so many bytes."""

    def __init__(self, inner: Source, start: int, size: int | None = None) -> None:
        self._inner = inner
        self._start = start
        self.start = inner.start + start
        self.path = inner.path
        self.budget = inner.budget
        self.size = inner.size - start
        if size is not None:
            self.size = min(size, self.size)
        self.stored = min(inner.stored, self.size)
        self.complete = inner.complete
        self.costly = inner.costly
        self.warnings = inner.warnings

    def pread(self, offset: int, size: int) -> bytes:
        """Bytes of the window, see :meth:`Source.pread`."""
        return self._inner.pread(self._start + offset, max(min(size, self.size - offset), 0))

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """What the file has there, see :meth:`Source.data`."""
        end = min(end, self.size)
        for first, last in self._inner.data(self._start + start, self._start + end):
            yield first - self._start, last - self._start

    def holds(self, offset: int, size: int) -> bool:
        """Whether the file has it, see :meth:`Source.holds`."""
        return self._inner.holds(self._start + offset, size)

    def identity(self) -> tuple[object, ...]:
        """That of the file, and the place, see :meth:`Source.identity`."""
        return *self._inner.identity(), self._start, self.size

    def close(self) -> None:
        """Close the file."""
        self._inner.close()


class SourceReader(io.RawIOBase):
    """A source as the file object that decompressors read, from ``position`` on."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.position = 0

    def readable(self) -> bool:
        """It is, as decompressors ask."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` with what comes next."""
        data = self._source.pread(self.position, len(buffer))
        buffer[: len(data)] = data
        self.position += len(data)
        return len(data)


class ReadAhead:
    """Headers of a few bytes, most of them close to one another, read a page at a time.

    A system call for each would be half of the work.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._start, self._page = 0, b""

    def __call__(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``, fewer at the end of the image."""
        at = offset - self._start
        if not 0 <= at <= len(self._page) - size:
            self._start, at = offset, 0
            self._page = self._source.pread(offset, max(size, _SAMPLE))
        return self._page[at : at + size]


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


def _sizes(fd: int, path: str) -> tuple[int, int]:
    """Bytes of the file, and how many of them are on disk."""
    facts = os.fstat(fd)
    if stat.S_ISDIR(facts.st_mode):
        raise UnreadableDump("this is a directory, not a dump file", path=path)
    if not (stat.S_ISREG(facts.st_mode) or stat.S_ISBLK(facts.st_mode)):
        raise UnreadableDump(
            "neither a regular file nor a block device: a dump needs random access", path=path
        )
    try:
        size = os.lseek(fd, 0, os.SEEK_END)
    except OSError as error:
        raise UnreadableDump(f"can't seek: {error.strerror}", path=path) from None
    if size == 0:
        raise UnreadableDump("the file is empty", path=path)
    # A block device has no blocks of its own, and some file systems keep none for small files.
    return size, min(size, facts.st_blocks * 512 or size)
