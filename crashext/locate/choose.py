# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the images found is the answer, and how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

from .context import Context
from .from_page_tables import kernel_root
from .image import Image
from .result import Confidence

_RANK: dict[Confidence, int] = {"none": 0, "weak": 1, "strong": 2, "certain": 3}


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen image, or None, and the reason in words."""

    image: Image | None
    reason: str


def confidence(image: Image) -> Confidence:
    """What the checks that held are worth together.

    Text alone can be planted by anyone who can write to memory. Page tables that a
    vCPU runs on can't; the kernel's own variable and tables, reached by symbols that
    belong to the very banner that stands there, would take a forged kernel image.
    """
    held = set(image.held)
    if {"phys_base", "init_top_pgt"} & set(image.failed):
        return "none"
    if not held:
        return "weak" if image.candidates else "none"
    if "linux_banner" in held and (
        {"phys_base", "init_top_pgt"} <= held or {"cpu_page_tables", "phys_base"} <= held
    ):
        return "certain"
    if "cpu_page_tables" in held or "init_top_pgt" in held:
        return "strong"
    return "weak"


def choose(context: Context, images: list[Image]) -> Choice:
    """The image that is alive; where no vCPU tells, the only intact one."""
    sound = [i for i in images if _RANK[confidence(i)] >= _RANK["strong"]]
    live = [i for i in sound if i.cpus]
    if len(live) == 1:
        return Choice(live[0], f"{_vcpus(live[0])} in it")
    if live:
        places = ", ".join(f"{i.phys_base:#x} ({_vcpus(i)})" for i in live)
        return Choice(None, f"vCPUs run in several kernels: phys_base {places}")
    if elsewhere(context):
        return Choice(None, "no vCPU runs in a kernel: " + where(context))
    if len(sound) == 1:
        return Choice(sound[0], "the only intact kernel image in memory; no vCPU state tells")
    if sound:
        places = ", ".join(f"{i.phys_base:#x}" for i in sound)
        return Choice(
            None, f"several intact kernels (phys_base {places}) and no vCPU state to tell"
        )
    return Choice(None, "no kernel found" if not images else "nothing bears out what was found")


def elsewhere(context: Context) -> bool:
    """True when vCPU states are there and none can be in a kernel.

    A vCPU whose page tables the dump lacks says nothing.
    """
    states = [c for c in context.cpus if c.cr0]
    return bool(states) and all(
        not c.paging
        or (context.memory.get(c.roots[0], 8) is not None and kernel_root(context, c) is None)
        for c in states
    )


def where(context: Context) -> str:
    """Where the vCPUs are, in words."""
    return "; ".join(f"vCPU {c.index} in {c.mode} at {c.rip:#x}" for c in context.cpus[:8])


def _vcpus(image: Image) -> str:
    numbers = ", ".join(map(str, image.cpus))
    return f"vCPU {numbers} run{'s' if len(image.cpus) == 1 else ''}"
