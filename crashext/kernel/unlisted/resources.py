# SPDX-License-Identifier: GPL-3.0-or-later
"""Where parts of the image lie, as the kernel has it in the tree behind /proc/iomem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .memory import Structures

_MOST = 4096  # resources
_MOST_NAME = 64


def image_bounds(structures: Structures) -> Mapping[str, int]:
    """The linker's symbols at both ends of each part; none where symbols known say otherwise."""
    kernel, vaddr = structures.kernel, structures.vaddr
    said: dict[str, int] = {}
    start = kernel.start
    if start is None:
        return said
    voffset = start - kernel.image_paddr(start)
    parts = kernel.arch.image_resources
    for name, first, last in _resources(structures, vaddr("iomem_resource")):
        for names, paddr in zip(parts.get(name, ()), (first, last + 1), strict=False):
            for symbol in names:
                if said.setdefault(symbol, paddr + voffset) != paddr + voffset:
                    return {}
    known = {name: vaddr(name) for name in said}
    return {} if any(v not in (None, said[n]) for n, v in known.items()) else said


def _resources(structures: Structures, root: int | None) -> Iterator[tuple[str, int, int]]:
    """Name, first and last byte of each ``struct resource`` below the root, the deepest last."""
    pending = [structures.member(root, "resource", "child")]
    for _ in range(_MOST):
        if not pending:
            return
        at = pending.pop()
        if not at:
            continue
        first, last = (structures.number(at, "resource", m, 8) for m in ("start", "end"))
        name = structures.text(structures.member(at, "resource", "name"), _MOST_NAME)
        if first is not None and last is not None:
            yield name, first, last
        pending += [structures.member(at, "resource", m) for m in ("sibling", "child")]
