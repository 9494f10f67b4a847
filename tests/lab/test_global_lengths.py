# SPDX-License-Identifier: GPL-3.0-or-later
"""How the lengths of arrays are written in the table of the types of globals."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lab.global_lengths import Lengths, likeness

OLDER = {"NR_VM_ZONE_STAT_ITEMS": 11, "NR_SOFTIRQS": 10, "PORT_NUM_OF": 11, "OID__NR": 20}
NEWER = {"NR_VM_ZONE_STAT_ITEMS": 12, "NR_SOFTIRQS": 10, "PORT_NUM_OF": 12, "OID__NR": 22}
WRITTEN = {"[*]": 16}
READ_ONLY = {"[]": 11, "[.]": 12, "[*]": 16}
TEXT = {"[$]": 12, **READ_ONLY}


def chosen(
    words: str, numbers: tuple[int | None, int | None], *measured: Mapping[str, int]
) -> list[str]:
    """What is written for an older and a newer kernel."""
    ways = dict(enumerate(measured or ({}, {})))
    found = Lengths([OLDER, NEWER]).choose(words, dict(enumerate(numbers)), ways)
    return [str(found[0]), str(found[1])]


def test_an_enumerator_whose_name_speaks_of_the_variable() -> None:
    assert chosen("vm_zone_stat_atomic_long_t", (11, 12)) == ["[NR_VM_ZONE_STAT_ITEMS]"] * 2
    assert chosen("oid_index_short", (21, 23)) == ["[OID__NR+1]"] * 2
    assert chosen("another_table_int", (11, 12)) == ["[11]", "[12]"]


def test_one_word_in_common_says_nothing_where_the_number_does_not_change() -> None:
    assert chosen("softirq_vec_softirq_action", (10, 10)) == ["[10]"] * 2


@pytest.mark.parametrize(
    ("numbers", "measured", "written"),
    [
        ((11, 13), (READ_ONLY, READ_ONLY | {"[]": 13, "[.]": 14}), "[]"),
        ((12, 13), (READ_ONLY, READ_ONLY | {"[.]": 13}), "[.]"),
        ((16, 17), (WRITTEN, {"[*]": 17}), "[*]"),
        # Nobody knows the number: a text is what ends in zero, other arrays are not.
        ((None, None), (TEXT, TEXT), "[$]"),
        ((None, None), (READ_ONLY, READ_ONLY), "[.]"),
        ((None, None), (WRITTEN, WRITTEN), "[*]"),
        ((None, None), (READ_ONLY, WRITTEN), "[*]"),
        ((None, 12), (WRITTEN, TEXT | {"[*]": 12}), "[*]"),
    ],
)
def test_measured(
    numbers: tuple[int | None, int | None], measured: tuple[Mapping[str, int], ...], written: str
) -> None:
    assert chosen("table_int", numbers, *measured) == [written] * 2


def test_what_cannot_be_measured_has_each_kernels_number() -> None:
    assert chosen("table_int", (11, 13), WRITTEN, WRITTEN) == ["[11]", "[13]"]


@pytest.mark.parametrize(
    ("variable", "enumerator", "share"),
    [
        ("node_states_nodemask_t", "NR_NODE_STATES", 1),
        ("perf_cache_map_int", "PERF_COUNT_HW_CACHE_MAX", 2 / 3),
        ("port_of_match", "PORT_NUM_OF", 0),  # its name does not say that it counts
    ],
)
def test_likeness(variable: str, enumerator: str, share: float) -> None:
    assert likeness(variable, enumerator) == pytest.approx(share)
