# SPDX-License-Identifier: GPL-3.0-or-later
"""Per-CPU variables: BTF has where each stands in the area, an exported one where that lies."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import TypesError
from ...symbols.btf import Btf

_SECTION = ".data..percpu"
_FEWEST = 3  # exported ones that have to agree


def per_cpu_symbols(btf: Btf, known: Mapping[str, int]) -> dict[str, int]:
    """The addresses of all of them, ``__per_cpu_start`` among them; none where some disagree."""
    try:
        variables = [v for v in btf.variables() if v.section == _SECTION]
    except TypesError:
        return {}
    starts = [known[v.name] - v.offset for v in variables if v.name in known]
    if len(starts) < _FEWEST or len(set(starts)) != 1:
        return {}
    start = starts[0]
    names = [v.name for v in variables]
    found = {v.name: start + v.offset for v in variables if names.count(v.name) == 1}
    return {"__per_cpu_start": start, **found}
