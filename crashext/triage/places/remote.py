# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are not local, through fsspec: read by ranges, a bounded part of them kept."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import Any, TypeVar

from ...budget import Budget
from ...dumps.source import Source
from ...errors import OverBudget, UnreadableDump
from ...text import size_text
from ..limits import Limits
from .meter import Meter

T = TypeVar("T")

_BLOCK = 1 << 17  # bytes: the least that is asked for
_AHEAD = 16  # blocks: the most that is read ahead of what goes on
_KEPT = 256  # blocks: a bitmap or a table of symbols is read again and again
_PAUSE = 0.1  # seconds before the second try; twice as long before each further one
_MARKS = ("ETag", "etag", "LastModified", "Last-Modified", "mtime", "last_modified", "modified")
"""What the file systems of fsspec call that which tells one content from another."""
_PACKAGES = "pip install 'qemufix[fleet]' has what HTTP, S3 and SSH need"
_NEVER = (FileNotFoundError, PermissionError, IsADirectoryError, NotImplementedError, ImportError)
_REFUSED = ("AuthenticationException", "BadHostKeyException")  # paramiko's: again is an attack
_AGAIN = (408, 412, 416, 425, 429)  # HTTP: of 4xx those that another moment may answer otherwise


class Changed(UnreadableDump):
    """The file isn't what it was when it was opened."""


def identity_of(info: Mapping[str, Any]) -> str | None:
    """What tells one content of a file from a later one, of what fsspec tells of it."""
    size = info.get("size")
    mark = next((f"{name} {info[name]}" for name in _MARKS if info.get(name)), None)
    return None if size is None else f"{size} {mark or 'unmarked'}"


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Raises:
        UnreadableDump: fsspec, or what it needs for the scheme, isn't there.
    """
    try:
        from fsspec.core import url_to_fs

        fs, path = url_to_fs(url)
    except ImportError as error:
        raise UnreadableDump(f"can't be reached: {error} ({_PACKAGES})", path=url) from error
    except Exception as error:  # of some it connects here, and each has its own
        if isinstance(error, MemoryError):
            raise
        why = str(error) or type(error).__name__
        raise UnreadableDump(f"can't be reached: {why}", path=url) from error
    return fs, path


class RemoteFile(Source):
    """One file on a file system of fsspec's.

    Its content is one: ``changed()`` tells whether the file was another when it was opened.
    """

    costly = True

    def __init__(self, url: str, budget: Budget, meter: Meter, limits: Limits) -> None:
        """Ask for the file's size.

        Raises:
            UnreadableDump: there is none, or it can't be asked.
        """
        self.path, self.budget = url, budget
        self._meter, self._limits = meter, limits
        self._fs, self._name = self._tried(partial(file_system, url), None)
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._next = self._ahead = 0
        self._scattered = False
        self._lock = Lock()
        info = self._info()
        content = identity_of(info)
        if content is None:
            raise UnreadableDump("its size isn't told: it can't be read by ranges", path=url)
        self.content, self.size = content, int(info["size"])
        self.stored = self.size
        if not self.size:
            raise UnreadableDump("the file is empty", path=url)

    def changed(self) -> bool:
        """Whether the file is another now."""
        return identity_of(self._info()) != self.content

    def pread(self, offset: int, size: int) -> bytes:
        """Bytes of the file, see :meth:`Source.pread`."""
        end = min(offset + size, self.size)
        if offset < 0 or offset >= end:
            return b""
        with self._lock:
            blocks = range(offset // _BLOCK, -(-end // _BLOCK))
            if self._scattered and not all(number in self._blocks for number in blocks):
                return self._range(offset, end)
            data = b"".join(self._block(number, blocks) for number in blocks)
        start = offset - blocks.start * _BLOCK
        return data if len(data) == end - offset else data[start : start + end - offset]

    @contextmanager
    def scattered(self) -> Iterator[None]:
        """Ask for no more than is wanted, and keep none of it; see :meth:`Source.scattered`."""
        self._scattered = True
        try:
            yield
        finally:
            self._scattered = False

    def identity(self) -> tuple[object, ...]:
        """The URL and the mark of its content, see :meth:`Source.identity`."""
        return self.path, self.content

    def close(self) -> None:
        """Forget what was read."""
        self._blocks.clear()

    def _block(self, number: int, wanted: range) -> bytes:
        if number not in self._blocks:
            self._fetch(number, wanted)
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def _fetch(self, first: int, wanted: range) -> None:
        """One request for what is wanted and lacking; more where reading goes on and on."""
        self._ahead = min(max(2 * self._ahead, 1), _AHEAD) if first == self._next else 0
        last = first + 1
        most = min(max(wanted.stop, last + self._ahead), first + _KEPT // 2)
        while last < most and last * _BLOCK < self.size and last not in self._blocks:
            last += 1
        self._next = last
        data = self._range(first * _BLOCK, min(last * _BLOCK, self.size))
        for number in range(first, last):
            at = (number - first) * _BLOCK
            self._blocks[number] = data[at : at + _BLOCK]
        while len(self._blocks) > _KEPT:
            self._blocks.popitem(last=False)

    def _range(self, start: int, end: int) -> bytes:
        """All bytes of a range, whatever parts of it come at a time."""
        parts: list[bytes] = []
        at, vain = start, 0
        while at < end:
            self._check_room(end - at)
            data = self._tried(partial(self._fs.cat_file, self._name, start=at, end=end), at)
            self._meter.count(len(data))
            if len(data) > end - at:
                raise UnreadableDump("its server doesn't give ranges of files", path=self.path)
            vain = 0 if data else vain + 1
            if vain >= self._limits.tries:
                raise self._lost("it ends before its size", at)
            at += len(data)
            parts.append(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _check_room(self, size: int) -> None:
        if self._meter.bytes_read + size > self._limits.read:
            most = size_text(self._limits.read)
            raise OverBudget(f"it takes more than the {most} of --max-read", path=self.path)

    def _tried(self, ask: Callable[[], T], offset: int | None) -> T:
        """What a request gives, asked again where that may help."""
        try:
            return tried(ask, self._limits.tries, lambda: self._meter.count(0))
        except UnreadableDump:
            raise
        except Exception as error:
            what = str(error) or type(error).__name__
            raise self._lost(f"can't read: {what}", offset) from None

    def _lost(self, problem: str, offset: int | None) -> UnreadableDump:
        return UnreadableDump(problem, path=self.path, offset=offset)

    def _info(self) -> Mapping[str, Any]:
        def ask() -> Mapping[str, Any]:
            self._fs.invalidate_cache()
            return dict(self._fs.info(self._name))

        info = self._tried(ask, None)
        self._meter.count(0)
        return info


def tried(ask: Callable[[], T], tries: int, failed: Callable[[], None] = lambda: None) -> T:
    """What a request gives, made again where that may help; raises as the last one did."""
    for number in range(tries):
        try:
            return ask()
        except Exception as error:
            failed()
            if number + 1 == tries or not _may_pass(error):
                raise
        time.sleep(_PAUSE * 2**number)
    raise AssertionError("no try at all")


def _may_pass(error: Exception) -> bool:
    """Whether the same request may be answered another time."""
    if isinstance(error, MemoryError):
        raise error
    if isinstance(error, UnreadableDump):  # it could not be connected to
        cause = error.__cause__
        return not isinstance(cause, (*_NEVER, ValueError)) and type(cause).__name__ not in _REFUSED
    status = getattr(error, "status", None)
    if isinstance(status, int) and 400 <= status < 500:
        return status in _AGAIN
    # Over HTTP whatever fails is said to be not found; then its cause tells.
    return not isinstance(error, _NEVER) or (error.__cause__ is not None and _may_pass_cause(error))


def _may_pass_cause(error: Exception) -> bool:
    cause = error.__cause__
    status = getattr(cause, "status", None)
    return not isinstance(status, int) or status >= 500
