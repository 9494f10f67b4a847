# SPDX-License-Identifier: GPL-3.0-or-later
"""Members that take less than their type, or more than a register."""

from __future__ import annotations

import pytest

from crashext.errors import TypesError
from crashext.symbols.btf import Btf

from .btf_writer import Blob


def test_bit_fields_of_128_bits() -> None:
    """s390x has one of 72 bits, ``union tod_clock``."""
    blob = Blob()
    wide = blob.integer("__int128 unsigned", 16)
    blob.struct("clock", 16, ("eitod", wide, 72 << 24), ("rest", wide, 56 << 24 | 72), flag=1)
    btf = Btf(blob.data())
    btf.check()
    members = btf.type(btf.find("clock") or 0).members
    assert [(m.bits, m.width) for m in members] == [(0, 72), (72, 56)]
    blob.struct("beyond", 16, ("eitod", wide, 72 << 24 | 72), flag=1)
    with pytest.raises(TypesError, match="not inside its structure"):
        Btf(blob.data()).check()
