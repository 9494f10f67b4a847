# SPDX-License-Identifier: GPL-3.0-or-later
"""What several of the session's tests start from."""

from __future__ import annotations

import dataclasses
import shutil

import pytest
from elftools.elf.elffile import ELFFile

from .crash_driver import Guest, guest

_ALIGN = 2 << 20


@dataclasses.dataclass(frozen=True)
class StaleCopy:
    """A dump with a second copy of the kernel image, and the phys_base of that."""

    case: Guest
    phys_base: int

    @property
    def wrong(self) -> list[str]:
        """crash's arguments for a session that comes up with the copy's value."""
        return [f"--kaslr={self.case.kaslr_offset}", "--machdep", f"phys_base={self.phys_base:#x}"]


@pytest.fixture(scope="session")
def stale(tmp_path_factory: pytest.TempPathFactory) -> StaleCopy:
    """The wrong value that crash comes up with: one that leads to a copy of the image.

    Any other is refused at start, as the banner is not there.
    """
    original = guest("ovmf-kaslr.elf")
    dump = tmp_path_factory.mktemp("stale") / "stale.elf"
    shutil.copyfile(original.dump, dump)
    symbols = original.truth["symbols"]
    text = int(original.truth["text_paddr"], 16)
    size = int(symbols["_end"], 16) - int(symbols["_text"], 16)
    with dump.open("r+b") as file:
        segments: list[tuple[int, int, int]] = [
            (s["p_paddr"], s["p_offset"], s["p_filesz"])
            for s in ELFFile(file).iter_segments("PT_LOAD")
        ]

        def offset(paddr: int) -> int:
            return next(at + paddr - p for p, at, n in segments if p <= paddr < p + n)

        file.seek(offset(text))
        image = file.read(size)
        for copy in range(16 << 20, text - size, _ALIGN):
            file.seek(offset(copy))
            if not any(file.read(size)):
                break
        else:
            pytest.skip("this guest has no room for a second image")
        file.seek(offset(copy))
        file.write(image)
    moved = int(original.phys_base, 16) + copy - text
    return StaleCopy(dataclasses.replace(original, dump=dump), moved % (1 << 64))
