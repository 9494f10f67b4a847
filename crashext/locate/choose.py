# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the images found is the answer, and how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

from ..arch.x86_64 import CpuState
from .context import Context
from .from_page_tables import kernel_root
from .image import Image
from .result import Confidence

_SOUND: tuple[Confidence, ...] = ("strong", "certain")


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
    own = held & {"phys_base", "init_top_pgt"}
    if "linux_banner" in held and image.has_all_symbols:
        if "cpu_page_tables" in held and own:
            return "certain"
        if image.matches_vmlinux and len(own) == 2:
            return "certain"
    if held & {"cpu_page_tables", "init_top_pgt"} and len(held) > 1:
        return "strong"
    return "weak"


def choose(context: Context, images: list[Image], wanted: str | None = None) -> Choice:
    """The answer among ``images``.

    By default the kernel that is alive, of a crashed one and its capture kernel the
    crashed one, and without CPU state the only intact one. ``wanted`` picks another:
    "live", "crashed", or a number in the list of :func:`listed`.
    """
    sound = [i for i in listed(images) if confidence(i) in _SOUND]
    if wanted is not None:
        return _pick(images, sound, wanted)
    live = [i for i in sound if i.cpus]
    if live:
        return _of_live(sound, live)
    if any(told(context, cpu) for cpu in context.cpus):
        return Choice(None, "no vCPU runs in a kernel: " + where(context))
    return _only(images, sound)


def _of_live(sound: list[Image], live: list[Image]) -> Choice:
    """Of the images that vCPUs run in: the one, or the one that crashed before it."""
    if any(i.is_capture for i in live):
        crashed = [i for i in sound if i.captured_by is not None]
        if len(crashed) == 1:
            return Choice(crashed[0], "it crashed, and a capture kernel runs after it")
        return Choice(None, "a capture kernel runs, but the kernel that crashed can't be told")
    if len(live) == 1 and len(sound) > 1 and not live[0].has_all_symbols:
        return Choice(None, "without its symbols the kernel that runs may be a capture kernel")
    if len(live) == 1:
        return Choice(live[0], f"{_vcpus(live[0])} in it")
    places = ", ".join(f"{i.phys_base:#x} ({_vcpus(i)})" for i in live)
    return Choice(None, f"vCPUs run in several kernels: phys_base {places}")


def _only(images: list[Image], sound: list[Image]) -> Choice:
    """Without CPU state: the one intact image, if there is just one."""
    crashed = [i for i in sound if i.captured_by is not None]
    if len(crashed) == 1 and all(i.is_capture for i in sound if i is not crashed[0]):
        return Choice(crashed[0], "a capture kernel was started after it; no vCPU state tells")
    if len(sound) == 1:
        return Choice(sound[0], "the only intact kernel image in memory; no vCPU state tells")
    if sound:
        places = ", ".join(f"{i.phys_base:#x}" for i in sound)
        return Choice(
            None, f"several intact kernels (phys_base {places}) and no vCPU state to tell"
        )
    return Choice(None, "no kernel found" if not images else "nothing bears out what was found")


def _pick(images: list[Image], sound: list[Image], wanted: str) -> Choice:
    if wanted.isdigit():
        kernels = listed(images)
        if int(wanted) >= len(kernels):
            return Choice(None, f"there is no kernel {wanted}, {len(kernels)} were found")
        image = kernels[int(wanted)]
        if confidence(image) not in _SOUND:
            return Choice(None, f"kernel {wanted} is not borne out by what is in memory")
        return Choice(image, f"kernel {wanted} was asked for")
    if wanted == "crashed":
        fits = [i for i in sound if i.captured_by is not None]
    else:
        fits = [i for i in sound if i.cpus and i.captured_by is None]
    if len(fits) == 1:
        return Choice(fits[0], f"the {wanted} kernel was asked for")
    return Choice(None, f"{'no' if not fits else 'more than one'} {wanted} kernel was found")


def listed(images: list[Image]) -> list[Image]:
    """The images in the order they are listed and numbered: by physical place."""
    return sorted(images, key=lambda i: (i.text_paddr or i.phys_base, i.phys_base))


def told(context: Context, cpu: CpuState) -> bool:
    """True when it can be told where a vCPU is.

    One whose page tables the dump lacks says nothing.
    """
    if not cpu.cr0:
        return False
    return not cpu.paging or context.memory.get(context.roots(cpu)[0], 8) is not None


def where(context: Context) -> str:
    """Where the vCPUs are, in words."""
    return "; ".join(_place(context, cpu) for cpu in context.cpus[:8])


def _place(context: Context, cpu: CpuState) -> str:
    if not told(context, cpu):
        return f"vCPU {cpu.index}: page tables not in the dump"
    maps = (
        "an unknown kernel mapped" if kernel_root(context, cpu) is not None else "no kernel mapped"
    )
    return f"vCPU {cpu.index} in {cpu.mode} at {cpu.rip:#x}, {maps}"


def _vcpus(image: Image) -> str:
    numbers = ", ".join(map(str, image.cpus))
    return f"vCPU {numbers} run{'s' if len(image.cpus) == 1 else ''}"
