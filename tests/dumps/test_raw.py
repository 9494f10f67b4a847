# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from crashext import CorruptDump, MissingMemory, Range, open_dump

from .conftest import page

DATA = b"".join(page(n) for n in range(20))


def test_from_the_address_given(tmp_path: Path) -> None:
    path = tmp_path / "pmem"
    path.write_bytes(DATA)
    with open_dump(path, format="raw", offset=0x100000) as dump:
        assert dump.format == "raw" and dump.ram == (Range(0x100000, 0x100000 + len(DATA)),)
        assert dump.read(0x100000 + 4090, 5000) == DATA[4090:9090]
        assert dict(dump.page_heads(8)) == {0x100000 + n * 4096: page(n)[:8] for n in range(20)}
        assert dump.arch == "unknown" and dump.notes == () and dump.vmcoreinfo is None
        for paddr, size, missing in ((0xFFFFF, 2, 0xFFFFF), (0x113FFF, 2, 0x114000)):
            with pytest.raises(MissingMemory) as caught:
                dump.read(paddr, size)
            assert caught.value.paddr == missing
    with pytest.raises(CorruptDump):
        open_dump(path, format="raw", offset=-1)


def test_compressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = tmp_path / "pmem.gz"
    path.write_bytes(gzip.compress(DATA))
    with open_dump(path, format="raw") as dump:
        assert dump.read(0, len(DATA)) == DATA
