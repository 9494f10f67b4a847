# SPDX-License-Identifier: GPL-3.0-or-later
"""Per-CPU variables: BTF has where each stands in the area, an exported one where that lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from ...errors import TypesError
from ...symbols.btf import Btf

_SECTION = ".data..percpu"
_FEWEST = 3  # exported ones that have to agree


class PerCpu(NamedTuple):
    """Addresses by name, ``__per_cpu_start`` among them, and about where the area ends."""

    vaddrs: dict[str, int]
    end: int


def per_cpu_symbols(btf: Btf, known: Mapping[str, int]) -> PerCpu | None:
    """All of them; None where ``known`` has few of them, or they disagree."""
    try:
        variables = [v for v in btf.variables() if v.section == _SECTION]
    except TypesError:
        return None
    starts = [known[v.name] - v.offset for v in variables if v.name in known]
    if len(starts) < _FEWEST or len(set(starts)) != 1:
        return None
    start = starts[0]
    names = Counter(v.name for v in variables)
    found = {v.name: start + v.offset for v in variables if names[v.name] == 1}
    end = max(v.offset + v.size for v in variables)
    return PerCpu({"__per_cpu_start": start, **found}, start + end)
