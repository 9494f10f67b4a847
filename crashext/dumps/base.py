# SPDX-License-Identifier: GPL-3.0-or-later
"""What every dump offers, whatever its container."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

from ..errors import CorruptDump, MissingMemory
from .tally import Tally, sampled

ByteOrder = Literal["little", "big"]


class Range(NamedTuple):
    """A half-open range ``[start, end)`` of guest-physical byte addresses."""

    start: int
    end: int

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.end - self.start


Kind = Literal["stored", "zero", "excluded"]


class Stretch(NamedTuple):
    """A range of guest-physical memory, and what reading it will find, so far as is known.

    ``kind`` is "zero" where it is known to be zeros and "excluded" where it was left out of
    the dump; "stored" is everything else, as only reading tells.
    """

    start: int
    end: int
    kind: Kind


class Note(NamedTuple):
    """One ELF note: Nhdr name without its NUL, n_type and the descriptor bytes.

    ``offset`` is the file offset of the note's header (for a flattened kdump:
    in the image that the records rebuild).
    """

    name: str
    type: int
    desc: bytes
    offset: int


class Dump(ABC):
    """Random access to one guest's physical memory and to the dump's notes.

    Opening reads headers and indexes only; memory is read as it is asked for.
    ``read`` may be called from several threads at once.

    Attributes:
        path: the (first) file, as it was given.
        format: "elf" or "kdump".
        flattened: True for the makedumpfile flattened container.
        compression: "none", "zlib", "lzo", "snappy" or "zstd", as the header says.
        arch: "x86_64", "i386", "aarch64", ...; "unknown" where the dump doesn't say.
        byte_order: of the headers, which is the guest's.
        page_size: the dump's unit in bytes (kdump block_size; 4096 for ELF).
        header: the format's own header facts, a frozen dataclass of its module.
        notes: all ELF notes in file order.
        ram: the guest-physical ranges the dump describes, sorted and disjoint.
        vmcoreinfo: the descriptor of the VMCOREINFO note, NULs stripped, or None.
        cpu_states: of each vCPU in order, the fields of its state by QEMU's names of them
            (``env.regs``), big-endian; only in a migration stream. What notes they make is the
            architecture's to say: :func:`crashext.arch.notes_of`.
        complete: False when the file is cut off or flagged incomplete.
        warnings: what looked odd on opening, a line each.
        lacks: memory of the guest that its writer should have put there and did not, in a
            line; None where nothing says so.
    """

    path: str
    format: str
    flattened: bool = False
    compression: str = "none"
    arch: str
    byte_order: ByteOrder
    page_size: int
    header: Any
    notes: tuple[Note, ...]
    ram: tuple[Range, ...]
    vmcoreinfo: bytes | None
    cpu_states: tuple[Mapping[str, bytes], ...] = ()
    complete: bool
    warnings: tuple[str, ...] = ()
    lacks: str | None = None

    @property
    def ram_bytes(self) -> int:
        """Total of the RAM ranges in bytes."""
        return sum(r.size for r in self.ram)

    @property
    def stored(self) -> tuple[Range, ...]:
        """The ranges of ``ram`` whose bytes are in the file, sorted and disjoint.

        Bytes that several addresses share count at the lowest, holes of the file not at
        all, and where there would be too many ranges small gaps are filled.
        """
        return self.ram

    def stretches(self) -> Iterator[Stretch]:
        """All of ``ram`` in ascending stretches, told from the headers and indexes alone.

        What takes all of a dump need not read what is known to be zeros or left out.
        """
        held = self._held()
        item = next(held, None)
        for at, end in self.ram:
            while item and item.start < end:
                first, last = max(item.start, at), min(item.end, end)
                if at < first:
                    yield Stretch(at, first, "excluded")
                if first < last:
                    yield Stretch(first, last, item.kind)
                    at = last  # noqa: PLW2901
                if item.end > end:
                    break
                item = next(held, None)
            if at < end:
                yield Stretch(at, end, "excluded")

    def _held(self) -> Iterator[Stretch]:
        """The stretches that were not left out, ascending and disjoint."""
        for start, end in self.ram:
            yield Stretch(start, end, "stored")

    @abstractmethod
    def read(self, paddr: int, size: int) -> bytes:
        """Return exactly ``size`` bytes of guest-physical memory from ``paddr``.

        Raises:
            MissingMemory: some byte of the range is not in the dump
                (ExcludedPage where the dump says that it was left out).
            CorruptDump: the stored page can't be decoded.
        """

    @abstractmethod
    def page_heads(self, size: int) -> Iterator[tuple[int, bytes]]:
        """Yield ``(paddr, first size bytes)`` for each stored page worth a look.

        For full searches: pages known to be all zero without reading them may be
        left out, a compressed page is inflated no further than ``size`` needs, and
        a page that can't be decoded is skipped. Addresses ascend.
        """

    def pages_with(
        self,
        marks: Sequence[tuple[int, bytes]],
        *,
        stored: range | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[int]:
        """Addresses of the 4 KiB pages that hold one of ``marks``, ascending.

        A mark is an offset in the page and the bytes wanted there. A page that
        zlib compressed to a size outside ``stored`` is taken to hold none. ``progress`` is
        called now and then with the fraction of RAM done. Formats override this where
        they can tell faster than by looking at every page.
        """
        size = max(offset + len(wanted) for offset, wanted in marks)
        end = max((r.end for r in self.ram), default=1)
        for count, (paddr, head) in enumerate(self.page_heads(size)):
            if progress is not None and count % 8192 == 0:
                progress(paddr / end)
            if any(head.startswith(wanted, offset) for offset, wanted in marks):
                yield paddr

    def places(
        self,
        step: int,
        offset: int,
        wanted: bytes,
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[int]:
        """Multiples of ``step`` from which on ``wanted`` stands ``offset`` bytes further up.

        One small read for each: nothing else of the dump is looked at. Addresses ascend;
        what can't be read holds nothing.
        """
        end = max((r.end for r in self.ram), default=1)
        for stored in self.stored:
            first = max(-(-(stored.start - offset) // step) * step, 0)
            for count, start in enumerate(range(first, stored.end - offset, step)):
                if progress is not None and count % 1024 == 0:
                    progress(start / end)
                if self._holds(start + offset, wanted):
                    yield start

    def _holds(self, paddr: int, wanted: bytes) -> bool:
        try:
            return self.read(paddr, len(wanted)) == wanted
        except (MissingMemory, CorruptDump):
            return False

    def tally(self, start: int, end: int, most: int) -> Tally:
        """What ``[start, end)``, which is RAM, is made of; told from a sample where it is large.

        ``most`` pages are read where the format has no sizes of pages at hand, and a few
        thousand times as many descriptors where it has.
        """
        return sampled(self, start, end, most)

    def identity(self) -> tuple[object, ...] | None:
        """What tells the files from any others, also from ones at the same paths later.

        None where nothing does: then what is learned of the dump can't be kept.
        """
        return None

    @abstractmethod
    def close(self) -> None:
        """Release the file; reads fail afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()
