# SPDX-License-Identifier: GPL-3.0-or-later
"""A compressed file without random access, unpacked once into a sparse file of the cache.

What is written is limited (see :class:`Allowance`); where the files are is the matter of
:mod:`crashext.dumps.storage`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, BinaryIO, NamedTuple

from ..budget import UNPACKED
from ..errors import CorruptDump, OverBudget, UnreadableDump
from ..text import size_text
from .source import FileSource, Source, SourceReader
from .storage import About, Entry, Storage, place

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction of it that is."""

Chunk = tuple[bytes, str]
"""Unpacked bytes, and why there are no more of them if that is an error."""

_CHUNK = 1 << 20
_HOLE = bytes(1 << 16)
# Bytes on disk that are allowed whatever the file's size, and for each of its bytes. Memory
# compresses to a twentieth where there is much to compress.
_FREE, _RATIO = 128 << 20, 128


class Packing(NamedTuple):
    """A way of compressing: ``stream`` unpacks a file, ``speed`` bytes in one step of work."""

    stream: Callable[[BinaryIO, Source], BinaryIO]
    speed: int


class UnpackedSource(FileSource):
    """The unpacked image in the cache, under the name of the compressed file."""

    def __init__(self, packed: Source, identity: tuple[object, ...], cached: Entry) -> None:
        super().__init__(cached.path, packed.budget, cached.fd)
        self.path = packed.path
        self._identity = identity
        self.complete = cached.whole
        # So much work is allowed as the compressed file has bytes.
        self.stored = packed.stored
        if not self.complete:
            self.warnings = (f"{self.path}: the compressed stream is damaged or cut off",)

    def identity(self) -> tuple[object, ...]:
        """That of the compressed file, see :meth:`Source.identity`."""
        return *self._identity, "unpacked"


class Allowance:
    """How much may be unpacked of one file; lifted by a person who is asked."""

    def __init__(self, source: Source, speed: int, free: int) -> None:
        """Allow what ``source`` is good for, but no more than the ``free`` bytes on disk."""
        self._source = source
        self._free = free
        budget = source.budget
        self._disk = budget.unpacked or min(_FREE + _RATIO * source.stored, UNPACKED)
        self._image = None if budget.unpacked else source.work("").left * speed

    def check(self, written: int, length: int) -> None:
        """Check the bytes on disk and the length of the image so far.

        Raises:
            OverBudget: they are too many.
            UnreadableDump: the disk would be full.
        """
        if written > self._free:
            raise UnreadableDump(
                f"there is no room for it in {place()}: {size_text(self._free)} may be "
                "taken there (XDG_CACHE_HOME names another place)",
                path=self._source.path,
            )
        if written > self._disk:
            self._exceeded(f"unpacking it needs more than the {size_text(self._disk)}")
        elif self._image is not None and length > self._image:
            self._exceeded(f"unpacked it is longer than the {size_text(self._image)}")

    def _exceeded(self, problem: str) -> None:
        size = f"the file has {size_text(self._source.stored)}"
        ask = self._source.budget.ask
        if ask is None or not ask(f"{self._source.path}: {problem} expected, {size}. Go on?"):
            raise OverBudget(f"{problem} of --max-unpacked allow; {size}", path=self._source.path)
        self._disk, self._image = self._free, None


def unpack(
    source: Source,
    packing: Packing,
    check: Callable[[bytes, str], Any],
    progress: Progress | None,
    whole: bool = True,
) -> Source:
    """The unpacked image of ``source``; ``check`` sees its first bytes before the rest.

    ``whole`` is False where it is already known to be cut off.

    Raises:
        CorruptDump: nothing of it unpacks.
        UnreadableDump: there is no room for it.
        OverBudget: it unpacks to more than is allowed.
    """
    reader = SourceReader(source)
    stream = packing.stream(io.BufferedReader(reader, _CHUNK), source)
    first, error = _read(stream, _CHUNK)
    if error and not first:
        raise CorruptDump(f"does not unpack: {error}", path=source.path, offset=0)
    if not first and not whole:
        raise CorruptDump("does not unpack: cut off at once", path=source.path)
    check(first[:4096], source.path)

    def chunks() -> Iterator[Chunk]:
        rest = iter(lambda: _read(stream, _CHUNK), (b"", ""))
        for chunk in chain([(first, error)], rest):
            if progress:
                progress("Unpacking", min(reader.position / source.size, 1.0))
            yield chunk

    identity = source.identity()
    try:
        with Storage(source.path) as storage:
            allowance = Allowance(source, packing.speed, storage.free())
            about = About("unpacked dump", source.path)
            cached = storage.find_or_make(
                identity, lambda output: _fill(output, chunks(), allowance, whole), progress, about
            )
    except OSError as problem:
        raise UnreadableDump(
            f"can't unpack it into {place()}: {problem.strerror} "
            "(XDG_CACHE_HOME names another place)",
            path=source.path,
        ) from None
    unpacked = UnpackedSource(source, identity, cached)
    source.close()
    _tell(source, cached)
    return unpacked


def _tell(source: Source, cached: Entry) -> None:
    if cached.is_new and source.budget.say:
        size = size_text(os.fstat(cached.fd).st_blocks * 512)
        source.budget.say(f"{source.path}: unpacked into the cache, {size} (see `qemufix cache`)")


def _fill(output: BinaryIO, chunks: Iterator[Chunk], allowance: Allowance, whole: bool) -> bool:
    """Write the image, zeros as holes; returns whether all of it is there."""
    written = length = place = 0
    for data, error in chunks:
        for at in range(0, len(data), len(_HOLE)):
            piece = data[at : at + len(_HOLE)]
            if not _HOLE.startswith(piece):
                if place != length:
                    output.seek(length)
                output.write(piece)
                place = length + len(piece)
                written += len(piece)
            length += len(piece)
        allowance.check(written, length)
        if error:
            whole = False
            break
    output.truncate(length)
    return whole


def _read(stream: BinaryIO, size: int) -> Chunk:
    """Up to ``size`` bytes, and why there are no more of them if that is an error."""
    parts: list[bytes] = []
    while size > 0:
        try:
            data = stream.read(min(size, len(_HOLE)))
        except (UnreadableDump, OverBudget):
            raise
        except Exception as error:  # each decompressor has its own
            return b"".join(parts), str(error) or type(error).__name__
        if not data:
            break
        parts.append(data)
        size -= len(data)
    return b"".join(parts), ""
