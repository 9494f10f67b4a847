# SPDX-License-Identifier: GPL-3.0-or-later
"""The few kinds of debugging information entries that are written (DWARF 4, 7.5).

An entry's attributes all have a fixed size, so where each entry will lie is known before any is
written; the value of an enumerator alone varies.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal, NamedTuple

ByteOrder = Literal["little", "big"]


class _Form(IntEnum):
    ADDR = 0x01
    DATA4 = 0x06
    DATA8 = 0x07
    DATA1 = 0x0B
    SDATA = 0x0D
    STRP = 0x0E
    REF4 = 0x13
    EXPRLOC = 0x18
    FLAG_PRESENT = 0x19


class _At(IntEnum):
    LOCATION = 0x02
    NAME = 0x03
    BYTE_SIZE = 0x0B
    BIT_SIZE = 0x0D
    LOW_PC = 0x11
    HIGH_PC = 0x12
    LANGUAGE = 0x13
    CONST_VALUE = 0x1C
    PRODUCER = 0x25
    PROTOTYPED = 0x27
    UPPER_BOUND = 0x2F
    COUNT = 0x37
    DATA_MEMBER_LOCATION = 0x38
    DECLARATION = 0x3C
    ENCODING = 0x3E
    EXTERNAL = 0x3F
    TYPE = 0x49
    DATA_BIT_OFFSET = 0x6B


_NAME = (_At.NAME, _Form.STRP)
_TYPE = (_At.TYPE, _Form.REF4)
_SIZE1 = (_At.BYTE_SIZE, _Form.DATA1)
_SIZE4 = (_At.BYTE_SIZE, _Form.DATA4)
_DECLARED = (_At.DECLARATION, _Form.FLAG_PRESENT)
_PROTOTYPED = (_At.PROTOTYPED, _Form.FLAG_PRESENT)
_EXTERNAL = (_At.EXTERNAL, _Form.FLAG_PRESENT)
_PRODUCER = (_At.PRODUCER, _Form.STRP)
_LANGUAGE = (_At.LANGUAGE, _Form.DATA1)
_LOW = (_At.LOW_PC, _Form.ADDR)
_PLACE = (_At.DATA_MEMBER_LOCATION, _Form.DATA4)
_BITS = ((_At.DATA_BIT_OFFSET, _Form.DATA4), (_At.BIT_SIZE, _Form.DATA1))


class Abbrev(IntEnum):
    """The entries, by their code. ``ANON``: without a name; ``VOID``: without a type.

    The comment gives the :mod:`struct` format of an entry, its code first; P is an address.
    """

    UNIT = 1  # BIB
    UNIT_WITH_CODE = 2  # BIBPQ
    BASE = 3  # BIBB
    POINTER = 4  # BI
    POINTER_VOID = 5  # B
    CONST = 6
    CONST_VOID = 7
    VOLATILE = 8
    VOLATILE_VOID = 9
    RESTRICT = 10
    RESTRICT_VOID = 11
    TYPEDEF = 12  # BII
    TYPEDEF_VOID = 13  # BI
    ARRAY = 14  # BI
    RANGE = 15  # BI
    RANGE_OPEN = 16  # B
    STRUCT = 17  # BII
    STRUCT_ANON = 18  # BI
    STRUCT_DECLARED = 19  # BI
    UNION = 20
    UNION_ANON = 21
    UNION_DECLARED = 22
    ENUM = 23  # BIBI
    ENUM_ANON = 24  # BBI
    ENUM_DECLARED = 25  # BI
    ENUMERATOR = 26  # BI and a LEB128
    MEMBER = 27  # BIII
    MEMBER_ANON = 28  # BII
    BITS = 29  # BIIIB
    BITS_ANON = 30  # BIIB
    FUNCTION_TYPE = 31  # BI
    FUNCTION_TYPE_VOID = 32  # B
    PARAMETER = 33  # BI
    PARAMETER_NAMED = 34  # BII
    PARAMETERS_OPEN = 35  # B
    FUNCTION = 36  # BIIPI
    FUNCTION_VOID = 37  # BIPI
    VARIABLE = 38  # BIIBBP
    VARIABLE_VALUE = 39  # BIIQ
    ENUMERATOR_WIDE = 40  # BIQ
    RANGE_NONE = 41  # BB
    FUNCTION_UNKNOWN = 42  # BIPI


class _Entry(NamedTuple):
    tag: int
    children: bool
    attributes: tuple[tuple[_At, _Form], ...]


_ENTRIES = {
    Abbrev.UNIT: _Entry(0x11, True, (_PRODUCER, _LANGUAGE)),
    Abbrev.UNIT_WITH_CODE: _Entry(
        0x11, True, (_PRODUCER, _LANGUAGE, _LOW, (_At.HIGH_PC, _Form.DATA8))
    ),
    Abbrev.BASE: _Entry(0x24, False, (_NAME, _SIZE1, (_At.ENCODING, _Form.DATA1))),
    Abbrev.POINTER: _Entry(0x0F, False, (_TYPE,)),
    Abbrev.POINTER_VOID: _Entry(0x0F, False, ()),
    Abbrev.CONST: _Entry(0x26, False, (_TYPE,)),
    Abbrev.CONST_VOID: _Entry(0x26, False, ()),
    Abbrev.VOLATILE: _Entry(0x35, False, (_TYPE,)),
    Abbrev.VOLATILE_VOID: _Entry(0x35, False, ()),
    Abbrev.RESTRICT: _Entry(0x37, False, (_TYPE,)),
    Abbrev.RESTRICT_VOID: _Entry(0x37, False, ()),
    Abbrev.TYPEDEF: _Entry(0x16, False, (_NAME, _TYPE)),
    Abbrev.TYPEDEF_VOID: _Entry(0x16, False, (_NAME,)),
    Abbrev.ARRAY: _Entry(0x01, True, (_TYPE,)),
    Abbrev.RANGE: _Entry(0x21, False, ((_At.UPPER_BOUND, _Form.DATA4),)),
    Abbrev.RANGE_OPEN: _Entry(0x21, False, ()),
    Abbrev.RANGE_NONE: _Entry(0x21, False, ((_At.COUNT, _Form.DATA1),)),
    Abbrev.STRUCT: _Entry(0x13, True, (_NAME, _SIZE4)),
    Abbrev.STRUCT_ANON: _Entry(0x13, True, (_SIZE4,)),
    Abbrev.STRUCT_DECLARED: _Entry(0x13, False, (_NAME, _DECLARED)),
    Abbrev.UNION: _Entry(0x17, True, (_NAME, _SIZE4)),
    Abbrev.UNION_ANON: _Entry(0x17, True, (_SIZE4,)),
    Abbrev.UNION_DECLARED: _Entry(0x17, False, (_NAME, _DECLARED)),
    Abbrev.ENUM: _Entry(0x04, True, (_NAME, _SIZE1, _TYPE)),
    Abbrev.ENUM_ANON: _Entry(0x04, True, (_SIZE1, _TYPE)),
    Abbrev.ENUM_DECLARED: _Entry(0x04, False, (_NAME, _DECLARED)),
    Abbrev.ENUMERATOR: _Entry(0x28, False, (_NAME, (_At.CONST_VALUE, _Form.SDATA))),
    Abbrev.ENUMERATOR_WIDE: _Entry(0x28, False, (_NAME, (_At.CONST_VALUE, _Form.DATA8))),
    Abbrev.MEMBER: _Entry(0x0D, False, (_NAME, _TYPE, _PLACE)),
    Abbrev.MEMBER_ANON: _Entry(0x0D, False, (_TYPE, _PLACE)),
    Abbrev.BITS: _Entry(0x0D, False, (_NAME, _TYPE, *_BITS)),
    Abbrev.BITS_ANON: _Entry(0x0D, False, (_TYPE, *_BITS)),
    Abbrev.FUNCTION_TYPE: _Entry(0x15, True, (_PROTOTYPED, _TYPE)),
    Abbrev.FUNCTION_TYPE_VOID: _Entry(0x15, True, (_PROTOTYPED,)),
    Abbrev.PARAMETER: _Entry(0x05, False, (_TYPE,)),
    Abbrev.PARAMETER_NAMED: _Entry(0x05, False, (_NAME, _TYPE)),
    Abbrev.PARAMETERS_OPEN: _Entry(0x18, False, ()),
    Abbrev.FUNCTION: _Entry(
        0x2E, True, (_EXTERNAL, _PROTOTYPED, _NAME, _TYPE, _LOW, (_At.HIGH_PC, _Form.DATA4))
    ),
    Abbrev.FUNCTION_VOID: _Entry(
        0x2E, True, (_EXTERNAL, _PROTOTYPED, _NAME, _LOW, (_At.HIGH_PC, _Form.DATA4))
    ),
    # No children: nothing is known of its parameters.
    Abbrev.FUNCTION_UNKNOWN: _Entry(
        0x2E, False, (_EXTERNAL, _NAME, _LOW, (_At.HIGH_PC, _Form.DATA4))
    ),
    Abbrev.VARIABLE: _Entry(0x34, False, (_EXTERNAL, _NAME, _TYPE, (_At.LOCATION, _Form.EXPRLOC))),
    Abbrev.VARIABLE_VALUE: _Entry(
        0x34, False, (_EXTERNAL, _NAME, _TYPE, (_At.CONST_VALUE, _Form.DATA8))
    ),
}


def abbreviations() -> bytes:
    """The section .debug_abbrev, in the order of the codes, which drgn insists on.

    Every number in it is below 128: one byte of LEB128.
    """
    out = bytearray()
    for code in Abbrev:
        entry = _ENTRIES[code]
        out += bytes((code, entry.tag, entry.children))
        for attribute, form in entry.attributes:
            out += bytes((attribute, form))
        out += b"\0\0"
    return bytes(out + b"\0")
