# SPDX-License-Identifier: GPL-3.0-or-later
"""What writing a dump came to."""

from __future__ import annotations

from dataclasses import dataclass, field

_NAMED = 8


@dataclass(slots=True)
class Written:
    """Counts of a new dump; its pages are the blocks of a kdump, 4 KiB in an ELF core.

    Attributes:
        bytes_written: what went to the file or stream, holes not counted.
        pages: how many have their contents in the new dump, zeros included.
        zero_pages: how many of those are all zero.
        unreadable: how many (of an ELF core: of the old dump's) exist in the guest and could
            not be read, so were left out; those that the old dump lacks are not counted.
        addresses: of the first eight unreadable ones.
    """

    bytes_written: int = 0
    pages: int = 0
    zero_pages: int = 0
    unreadable: int = 0
    addresses: list[int] = field(default_factory=list)

    def lost(self, paddr: int) -> None:
        """Count the page at ``paddr`` as unreadable."""
        self.unreadable += 1
        if len(self.addresses) < _NAMED:
            self.addresses.append(paddr)
