# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers that docs/formats.md reckons with."""

from __future__ import annotations

import struct

from elftools.elf.structs import ELFStructs

from tests.cli.test_cli import ROOT

#: struct page_desc of makedumpfile's diskdump_mod.h: off_t, two unsigned ints, unsigned long long.
PAGE_DESC = struct.calcsize("=qIIQ")


def test_what_headers_of_each_page_would_take() -> None:
    structs = ELFStructs(little_endian=True, elfclass=64)
    structs.create_basic_structs()
    structs.create_advanced_structs()
    section, compression = structs.Elf_Shdr.sizeof(), structs.Elf_Chdr.sizeof()
    assert (section, compression, PAGE_DESC) == (64, 24, 24)
    pages = (64 << 30) // 4096
    text = " ".join((ROOT / "docs" / "formats.md").read_text().split())
    each = f"{section + compression} bytes against the {PAGE_DESC}"
    total = f"{pages * (section + compression) >> 20} MiB against {pages * PAGE_DESC >> 20} MiB"
    assert each in text and total in text
