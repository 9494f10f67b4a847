# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses that arm64 instructions make up, as an assembler encodes them."""

from __future__ import annotations

import random
import struct

from crashext.arch.aarch64.code import addresses

HERE = 0xFFFF_8000_0801_0F00
PAGE = 0xFFFF_8000_0801_3000  # three pages further

ADRP_X0 = 0xF000_0000 & 0x9F00_0000 | 3 << 29 & 0x6000_0000  # adrp x0, HERE + 3 pages
ADD_X1_X0_123 = 0x9104_8C01  # add x1, x0, #0x123
LDR_X2_X0_10 = 0xF940_0802  # ldr x2, [x0, #0x10]
LDR_W2_X1_8 = 0xB940_0822  # ldr w2, [x1, #8]
STRB_W3_X0_5 = 0x3900_1403  # strb w3, [x0, #5]
LDP_X2_X3_X0_20 = 0xA942_0C02  # ldp x2, x3, [x0, #0x20]
LDUR_X2_X1_MINUS_3 = 0xF85F_D022  # ldur x2, [x1, #-3]
MOV_X5_X0 = 0xAA00_03E5  # mov x5, x0
MOV_X20_X0 = 0xAA00_03F4  # mov x20, x0
BL = 0x9400_0010
LDR_X2_X20_10 = 0xF940_0A82  # ldr x2, [x20, #0x10]
LDR_X2_X5_10 = 0xF940_08A2  # ldr x2, [x5, #0x10]
EOR_X0 = 0xCA02_0000  # eor x0, x0, x2
LDR_X0_X0 = 0xF940_0000  # ldr x0, [x0]


def of(*words: int) -> set[int]:
    return set(addresses(struct.pack(f"<{len(words)}I", *words), HERE))


def test_what_is_in_a_page() -> None:
    assert of(ADRP_X0, ADD_X1_X0_123) == {PAGE + 0x123}
    assert of(ADRP_X0, LDR_X2_X0_10) == {PAGE + 0x10}
    assert of(ADRP_X0, STRB_W3_X0_5) == {PAGE + 5}
    assert of(ADRP_X0, LDP_X2_X3_X0_20) == {PAGE + 0x20}


def test_accesses_behind_an_anchor() -> None:
    assert of(ADRP_X0, ADD_X1_X0_123, LDR_W2_X1_8) == {PAGE + 0x123, PAGE + 0x12B}
    assert of(ADRP_X0, ADD_X1_X0_123, LDUR_X2_X1_MINUS_3) == {PAGE + 0x123, PAGE + 0x120}


def test_registers_are_followed_and_forgotten() -> None:
    assert of(ADRP_X0, MOV_X5_X0, LDR_X2_X5_10) == {PAGE + 0x10}
    assert of(ADRP_X0, MOV_X20_X0, BL, LDR_X2_X20_10) == {PAGE + 0x10}
    assert of(ADRP_X0, MOV_X5_X0, BL, LDR_X2_X5_10) == set()
    assert of(ADRP_X0, EOR_X0, LDR_X2_X0_10) == set()
    assert of(ADRP_X0, LDR_X0_X0, LDR_X2_X0_10) == {PAGE}


def test_a_page_below() -> None:
    below = 0x90FF_FFE0 | 3 << 29  # adrp x0, HERE - 1 page
    assert of(below, LDR_X2_X0_10) == {(HERE & -4096) - 0x1000 + 0x10}


def test_any_bytes_are_read() -> None:
    dice = random.Random(5)
    for _ in range(200):
        for vaddr in addresses(dice.randbytes(dice.randrange(400)), HERE):
            assert 0 <= vaddr < 1 << 64
