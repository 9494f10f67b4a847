# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies that need no look at the pages: a file as it is, and a flattened one made plain."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable

from ...dumps.flattened import FlattenedSource
from ...dumps.source import Source
from ...errors import CorruptDump, UnreadableDump
from .sink import FileSink, Sink
from .written import Written

Progress = Callable[[float], None]

_FICLONE = 0x40049409  # linux/fs.h, _IOW(0x94, 9, int)
_STEP = 1 << 25  # bytes that the kernel copies at a time, between two looks at Ctrl-C
_READ = 1 << 20
_PARTS = 512  # records written at a time; the system takes 1024
#: Two files of which one can't be copied so: other file systems, old kernels, special files.
_NOT_SO = (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY, errno.EBADF,
           errno.EPERM, errno.ETXTBSY)  # fmt: skip


def copy_file(source: int, out: int, progress: Progress | None = None) -> Written:
    """Copy the file ``source`` to the empty file ``out``, both given by their descriptors.

    Shares the blocks where the file system can, else has the kernel copy what isn't a hole.
    ``bytes_written`` is 0 where blocks are shared.

    Raises:
        OSError: reading or writing failed.
    """
    size = os.fstat(source).st_size
    try:
        fcntl.ioctl(out, _FICLONE, source)
        return Written()
    except OSError as error:
        if error.errno not in _NOT_SO:
            raise
    result = Written()
    os.ftruncate(out, size)
    at = 0
    while at < size:
        start, at = _data_from(source, at, size)
        while start < at:
            done = _some(source, out, start, min(at - start, _STEP))
            if not done:
                raise OSError(errno.EIO, "the file has shrunk while it was copied")
            start += done
            result.bytes_written += done
            if progress is not None:
                progress(start / size)
    return result


def _data_from(fd: int, at: int, size: int) -> tuple[int, int]:
    """Where the next data of the file start, and where they end."""
    try:
        start = os.lseek(fd, at, os.SEEK_DATA)
        return start, min(os.lseek(fd, start, os.SEEK_HOLE), size)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size, size
        return at, size  # it has no notion of holes


def _some(source: int, out: int, at: int, size: int) -> int:
    """Copy up to ``size`` bytes inside the kernel, or through this process; how many it were."""
    try:
        return os.copy_file_range(source, out, size, at, at)
    except OSError as error:
        if error.errno not in _NOT_SO:
            raise
    data = os.pread(source, min(size, _READ), at)
    FileSink(out).write(at, data)
    return len(data)


def image_of(source: Source, sink: Sink, progress: Progress | None = None) -> Written:
    """Write the bytes of ``source``, whatever they come from.

    Raises:
        UnreadableDump: there are fewer than there were.
        OSError: writing failed.
    """
    for start, end in source.data(0, source.size):
        for at in range(start, end, _READ):
            size = min(_READ, end - at)
            data = source.pread(at, size)
            if len(data) < size:
                raise UnreadableDump("the file ends before", path=source.path, offset=at)
            sink.write(at, data)
            if progress is not None:
                progress((at + size) / source.size)
    sink.finish(source.size)
    return Written(bytes_written=sink.written)


def plain_of(source: FlattenedSource, sink: Sink, progress: Progress | None = None) -> Written:
    """Write the dump inside a flattened file; what no record gives stays a hole.

    Raises:
        CorruptDump: records are lost. Nothing in a plain file would tell what they held
            from zeros: such a dump has to be converted page by page.
        OSError: writing failed.
    """
    if not source.complete:
        raise CorruptDump("the stream is cut off, so memory is lost", path=source.path)
    start = end = done = 0
    run: list[memoryview] = []
    for offset, data in source.recorded():
        if offset != end or len(run) == _PARTS:
            sink.join(start, run)
            start, run = offset, []
        run.append(data)
        end = offset + len(data)
        done += len(data)
        if progress is not None:
            progress(min(done / source.size, 1.0))
    sink.join(start, run)
    sink.finish(source.size)
    return Written(bytes_written=sink.written)
