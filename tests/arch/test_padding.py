# SPDX-License-Identifier: GPL-3.0-or-later
"""Where functions of x86_64 end, told from their last bytes."""

from __future__ import annotations

import pytest

from crashext.arch.x86_64 import X86_64

BODY = bytes.fromhex("554889e5 4883ec10 31c0 c9")
RET, JUMP, CALL, TRAP = b"\xc3", b"\xe9\x10\x20\x30\x00", b"\xe8\x01\x02\x03\x04", b"\x0f\x0b"
NOPS = {
    1: "90",
    2: "6690",
    3: "0f1f00",
    4: "0f1f4000",
    5: "0f1f440000",
    6: "660f1f440000",
    7: "0f1f8000000000",
    8: "0f1f840000000000",
    9: "660f1f840000000000",
    10: "662e0f1f840000000000",
    15: "66666666662e0f1f840000000000" + "90",
}


@pytest.mark.parametrize("end", [RET, JUMP, CALL, TRAP, b"\xff\xe0", b"\xeb\xf0"])
@pytest.mark.parametrize("size", NOPS)
def test_nops_behind_an_end(end: bytes, size: int) -> None:
    filler = bytes.fromhex(NOPS[size])
    assert X86_64().padding(BODY + end + filler) == len(filler)
    assert X86_64().padding(BODY + end + filler + b"\xcc" * 3) == len(filler) + 3


@pytest.mark.parametrize("own", [0, 1, 2, 3])
def test_int3_of_the_linker(own: int) -> None:
    assert X86_64().padding(BODY + RET + bytes.fromhex("0f1f00") + b"\xcc" * own) == 3 + own


def test_a_return_that_was_patched_is_five_bytes() -> None:
    patched = BODY + RET + b"\xcc" * 4
    assert X86_64().padding(patched) == 0
    assert X86_64().padding(patched + b"\xcc" * 6) == 6
    assert X86_64().padding(patched + bytes.fromhex("660f1f440000")) == 6


@pytest.mark.parametrize(
    "code", [b"", BODY, BODY + RET, BODY + JUMP, BODY + b"\x90", b"\x90" * 16, bytes(100)]
)
def test_what_is_no_padding(code: bytes) -> None:
    """Nothing before it ends a function."""
    assert X86_64().padding(code) == 0
