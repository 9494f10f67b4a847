# SPDX-License-Identifier: GPL-3.0-or-later
"""How types are written in the table."""

from __future__ import annotations

import pytest

from crashext.rebuild.globals.expression import Expression, Length, parse

TEXTS = {
    "int": Expression((), "", "int"),
    "long unsigned int": Expression((), "", "long unsigned int"),
    "struct pid": Expression((), "struct", "pid"),
    "structure": Expression((), "", "structure"),
    "*void": Expression(("pointer",), "", "void"),
    "[451]const sys_call_ptr_t": Expression((Length(451), "const"), "", "sys_call_ptr_t"),
    "[NR_ZONES+1][.]*volatile union u": Expression(
        (Length(1, "NR_ZONES"), Length(how="[.]"), "pointer", "volatile"), "union", "u"
    ),
    "[A-1][]enum e": Expression((Length(-1, "A"), Length(how="[]")), "enum", "e"),
    "struct {seq,timekeeper}": Expression((), "struct", "{seq,timekeeper}"),
    "[$]const char": Expression((Length(how="[$]"), "const"), "", "char"),
    "[*]const *const char": Expression(
        (Length(how="[*]"), "const", "pointer", "const"), "", "char"
    ),
}


@pytest.mark.parametrize("text", TEXTS)
def test_written_and_read(text: str) -> None:
    assert parse(text) == TEXTS[text]
    assert str(TEXTS[text]) == text


@pytest.mark.parametrize("text", ["", "*", "[", "[1", "[x*2]int", "[-1]int", "int*", "[1 ]int",
                                  "struct a(", "struct ", "[9999999999999]int"])  # fmt: skip
def test_what_is_no_type(text: str) -> None:
    with pytest.raises(ValueError, match="no type"):
        parse(text)
