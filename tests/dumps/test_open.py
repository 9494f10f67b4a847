# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from crashext import UnknownFormat, UnreadableDump, UnsupportedDump, open_dump
from crashext.dumps.known import KNOWN, Known
from crashext.dumps.magic import COMPRESSED, DUMPS

from .conftest import Opener


def test_what_is_no_dump_file(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path, empty, fifo, tmp_path / "missing", Path("/dev/null"), Path("a\0b")):
        with pytest.raises(UnreadableDump) as caught:
            open_dump(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_the_live_kernel_is_named() -> None:
    with pytest.raises(UnsupportedDump, match="running kernel"):
        open_dump("/proc/kcore")


@pytest.mark.parametrize("data", [b"x", b"hello world\n" * 1000, bytes(10000)])
def test_unknown(opened: Opener, data: bytes) -> None:
    with pytest.raises(UnknownFormat, match="not a memory dump"):
        opened(data)


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
def test_recognised_by_name(opened: Opener, known: Known) -> None:
    image = bytearray(5000)
    image[known.offset : known.offset + len(known.magic)] = known.magic
    with pytest.raises(UnsupportedDump) as caught:
        opened(bytes(image))
    assert known.name in str(caught.value)


@pytest.mark.parametrize("magic", [*DUMPS, *COMPRESSED], ids=(DUMPS | COMPRESSED).get)
def test_what_is_cut_off_in_its_first_bytes_is_named(opened: Opener, magic: bytes) -> None:
    for size in range(2, len(magic)):
        with pytest.raises(UnknownFormat, match=(DUMPS | COMPRESSED)[magic]):
            opened(magic[:size])


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import crashext, sys; heavy = {'crashext.dumps', 'zlib', 'elftools', 'dataclasses'};"
        "print(heavy & set(sys.modules) & {m for m in sys.modules})"
    )
    run = subprocess.run([sys.executable, "-Sc", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
