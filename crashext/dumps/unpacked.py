# SPDX-License-Identifier: GPL-3.0-or-later
"""A compressed file without random access, unpacked once into a sparse file of the cache.

The cache is ``$XDG_CACHE_HOME/qemufix`` (``~/.cache/qemufix``). A file there is named by
the compressed file's path, size and time of change, is used again as long as those stay,
and may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import UnreadableDump
from ..text import size_text
from .source import FileSource, Source

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction of it that is."""

_CHUNK = 1 << 20
_HOLE = bytes(1 << 16)
_WHOLE, _PART = ".whole", ".part"


class UnpackedSource(FileSource):
    """The unpacked image in the cache, under the name of the compressed file."""

    def __init__(self, path: str, cached: Path) -> None:
        super().__init__(str(cached))
        self.path = path
        self.complete = cached.suffix == _WHOLE
        # A sparse file holds little: no table in it can be larger than this.
        self.stored = min(self.size, max(cached.stat().st_blocks * 512, 1 << 20))
        self.warnings = (
            f"{path}: unpacked once into {cached} ({size_text(self.size)}); delete that at will",
        )
        if not self.complete:
            self.warnings += (f"{path}: the compressed stream is damaged or cut off",)


class _Reader(io.RawIOBase):
    """A source as the file object that decompressors read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._source.pread(self.position, len(buffer))
        buffer[: len(data)] = data
        self.position += len(data)
        return len(data)


def unpack(
    source: Source,
    opener: Callable[[BinaryIO], BinaryIO],
    check: Callable[[bytes, str], Any],
    progress: Progress | None,
    whole: bool = True,
) -> Source:
    """The unpacked image of ``source``; ``check`` sees its first bytes before the rest.

    ``whole`` is False where it is already known to be cut off.

    Raises:
        UnreadableDump: there is no room for it, or nothing of it unpacks.
    """
    reader = _Reader(source)
    stream = opener(io.BufferedReader(reader, _CHUNK))
    first, error = _read(stream, _CHUNK)
    if error and not first:
        raise UnreadableDump(f"does not unpack: {error}", path=source.path, offset=0)
    if not first and not whole:
        raise UnreadableDump("does not unpack: cut off at once", path=source.path)
    check(first[:4096], source.path)
    try:
        place = _cache_place(source)
        cached = next((f for f in map(place.with_suffix, (_WHOLE, _PART)) if f.exists()), None)
        if cached is None:
            chunks = chain([(first, error)], iter(lambda: _read(stream, _CHUNK), (b"", "")))
            cached = _fill(place, _watched(chunks, reader, source.size, progress), whole)
        unpacked = UnpackedSource(source.path, cached)
    except OSError as problem:
        raise UnreadableDump(
            f"can't unpack it into {_cache_directory()}: {problem.strerror} "
            "(XDG_CACHE_HOME names another place)",
            path=source.path,
        ) from None
    source.close()
    return unpacked


def _cache_directory() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qemufix"


def _cache_place(source: Source) -> Path:
    """Its place in the cache, still without suffix."""
    facts = Path(source.path).stat()
    # The size of the source as well: a compressed stream may lie inside another.
    file = os.path.realpath(source.path), facts.st_size, facts.st_mtime_ns, facts.st_ino
    identity = repr((*file, source.size))
    directory = _cache_directory()
    # The memory of a guest is nobody else's business.
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory / hashlib.sha256(identity.encode()).hexdigest()[:32]


def _watched(
    chunks: Iterable[tuple[bytes, str]], reader: _Reader, total: int, progress: Progress | None
) -> Iterator[tuple[bytes, str]]:
    """The chunks, with the progress told at each."""
    for chunk in chunks:
        if progress:
            progress("Unpacking", min(reader.position / total, 1.0))
        yield chunk


def _fill(place: Path, chunks: Iterable[tuple[bytes, str]], whole: bool) -> Path:
    """Write the image beside its final name, which tells whether it is the whole."""
    suffix = _WHOLE if whole else _PART
    with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as output:
        temporary = Path(output.name)
        try:
            for data, error in chunks:
                _write_sparse(output, data)
                if error:
                    suffix = _PART
                    break
            output.truncate(output.tell())
            return temporary.rename(place.with_suffix(suffix))
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _write_sparse(output: Any, data: bytes) -> None:
    """Write what isn't zeros."""
    for at in range(0, len(data), len(_HOLE)):
        piece = data[at : at + len(_HOLE)]
        if piece == _HOLE:
            output.seek(len(piece), os.SEEK_CUR)
        else:
            output.write(piece)


def _read(stream: BinaryIO, size: int) -> tuple[bytes, str]:
    """Up to ``size`` bytes, and why there are no more of them if that is an error."""
    parts: list[bytes] = []
    while size > 0:
        try:
            data = stream.read(min(size, len(_HOLE)))
        except UnreadableDump:
            raise
        except Exception as error:  # each decompressor has its own
            return b"".join(parts), str(error) or type(error).__name__
        if not data:
            break
        parts.append(data)
        size -= len(data)
    return b"".join(parts), ""
