# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from crashext.vmcoreinfo import parse

TEXT = b"""OSRELEASE=6.1.0-1-amd64
BUILD-ID=3B43fad5034874490492495d552c0af6a5fab235
PAGESIZE=4096
SYMBOL(init_uts_ns)=ffffffff875f9b60
SYMBOL(swapper_pg_dir)=ffffffff87410000
NUMBER(phys_base)=-822083584
NUMBER(kimage_voffset)=0xffff7fffc8000000
NUMBER(VA_BITS)=48
KERNELOFFSET=4a00000
OFFSET(list_head.next)=0
"""


def test_each_key_in_its_own_base() -> None:
    info = parse(TEXT)
    assert info.osrelease == "6.1.0-1-amd64"
    assert info.build_id == "3b43fad5034874490492495d552c0af6a5fab235"
    assert info.pagesize == 4096
    assert info.symbol("swapper_pg_dir") == 0xFFFFFFFF87410000
    assert info.phys_base == -822083584 == -0x31000000
    assert info.number("kimage_voffset") == 0xFFFF7FFFC8000000
    assert info.number("VA_BITS") == 48
    assert info.kernel_offset == 0x4A00000
    assert info.integer("OFFSET(list_head.next)") == 0


def test_absent_is_none_and_zero_is_not() -> None:
    info = parse(b"NUMBER(phys_base)=0\nKERNELOFFSET=0\n")
    assert info.phys_base == 0 and info.kernel_offset == 0
    assert info.osrelease is None and info.build_id is None and info.pagesize is None
    assert info.symbol("_stext") is None and info.number("x") is None


def test_rubbish_is_left_out() -> None:
    info = parse(
        b"OSRELEASE=a\nno equals\nSYMBOL(x)=zz\nSYMBOL(y)=-1\nNUMBER(z)=1_0\nNUMBER(w)="
        + b"9" * 5000 + b"\nBUILD-ID=xyz\n\xff=1\nOSRELEASE=b\n\0PAGESIZE=4096\n"
    )  # fmt: skip
    assert info.osrelease == "a" and info.build_id is None and info.pagesize is None
    assert info.symbols == {} and info.number("z") is None and info.number("w") is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_never_raises(data: bytes) -> None:
    info = parse(data)
    assert (info.phys_base, info.kernel_offset, info.pagesize) is not None
    parse(TEXT[:100] + data + TEXT[100:])
