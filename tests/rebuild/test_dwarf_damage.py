# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged types are refused with a line, or make a file that no debugger falls over."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crashext.errors import TypesError
from crashext.symbols.btf import Btf
from tests.symbols.btf_writer import everything
from tests.symbols.kernels import VMLINUXES, btf_of

from .dwarf_elf import write_elf
from .test_dwarf import gdb, made, placed

_VALUES = (0, 1, 2, 3, 4, 8, 16, 0x7F, 0x80, 0xFF)
#: Reads every type of each file, as far as it goes.
_DRGN = """
import sys
sys.path[:0] = sys.argv[1:2]
from pathlib import Path
from tests.symbols.drgn_types import program
for path in sys.argv[2:]:
    prog = program(Path(path))
    for name in ("struct task", "struct bits", "union u", "enum state", "callback_t", "int",
                 "struct task_struct", "struct page", "struct sk_buff"):
        try:
            text = str(prog.type(name))
        except (LookupError, SyntaxError):
            pass
"""


def damaged(data: bytes, seed: int, spots: int, first: int = 24) -> bytes:
    """Some bytes of the types and names set to others."""
    dice = random.Random(seed)
    out = bytearray(data)
    for _ in range(dice.randint(1, spots)):
        out[dice.randrange(first, len(out))] = dice.choice((*_VALUES, dice.randrange(256)))
    return bytes(out)


def survivors(blobs: Iterator[bytes], folder: Path) -> Iterator[Path]:
    """The files made of those that are not refused."""
    for n, data in enumerate(blobs):
        try:
            btf = Btf(data)
            btf.check()
            info = made([btf], [], placed(btf))
        except TypesError as error:
            assert "\n" not in str(error)
            continue
        order, word = btf.byte_order, btf.word
        yield write_elf(folder / f"vmlinux-{n}", info, order, word)


def look_at(paths: list[Path], *commands: str) -> None:
    """Let gdb and drgn read all of each; a debugger that dies fails the test."""
    each = [word for path in paths for word in (f"file {path}", "maint expand-symtabs", *commands)]
    assert "internal-error" not in gdb(paths[0], "set confirm off", *each)
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", _DRGN, root, *paths], check=True, timeout=400)


def test_any_kind(tmp_path: Path) -> None:
    whole = everything().data()
    blobs = (damaged(whole, seed, 3) for seed in range(400))
    paths = list(survivors(blobs, tmp_path))
    assert 20 < len(paths) < 400
    look_at(paths, "info types .", "ptype struct task", "ptype struct bits", "ptype callback_t",
            "print sizeof(struct task)", "print *(struct task *) 0", "ptype printk")  # fmt: skip


@pytest.mark.lab
@pytest.mark.skipif(not VMLINUXES, reason="no lab kernels (make sample-dumps)")
def test_a_kernels_types(tmp_path: Path) -> None:
    whole = btf_of(VMLINUXES[0])
    names = 24 + int.from_bytes(whole[16:20], "little")
    blobs = (damaged(whole, seed, 2, first=names if seed % 3 == 0 else 24) for seed in range(9))
    paths = list(survivors(blobs, tmp_path))
    assert paths
    look_at(paths, "ptype struct task_struct", "ptype struct sk_buff", "whatis schedule")
