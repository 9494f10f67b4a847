# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the images found is the answer."""

from __future__ import annotations

from typing import NamedTuple

from ...arch.base import Cpu
from ..context import Context
from ..image import accounting
from ..image.image import Image, vcpus
from ..result import Confidence
from ..ways.page_tables import kernel_root
from .confidence import SOUND, confidence, is_rival

#: vCPUs looked at for being in a kernel that is not known.
_MAX_STRAYS = 24


class Choice(NamedTuple):
    """The chosen image, or None, how far it can be trusted, and the reason in words."""

    image: Image | None
    reason: str
    confidence: Confidence = "none"


def choose(context: Context, images: list[Image], wanted: str | None = None) -> Choice:
    """The answer among ``images``.

    By default the kernel that is alive, of a crashed one and its capture kernel the
    crashed one, and without CPU state the only one there can be. ``wanted`` picks another:
    "live", "crashed", or an image's id.
    """
    sound = [i for i in listed(images) if confidence(i) in SOUND]
    if wanted is not None:
        return _pick(context, images, sound, wanted)
    live = [i for i in sound if i.running]
    if live:
        return _of_live(context, images, sound, live)
    if any(told(context, cpu) for cpu in context.cpus):
        return Choice(None, _elsewhere(context, images))
    return _only(context, images, sound)


def _choice(image: Image, reason: str) -> Choice:
    return Choice(image, reason, confidence(image))


def _elsewhere(context: Context, images: list[Image]) -> str:
    bent = [i for i in images if i.partial_cpus]
    if bent:
        places = ", ".join(i.id for i in bent[:4])
        return (
            f"page tables of vCPU {bent[0].partial_cpus[0]} map one kernel from several places "
            f"({places}): give the vmlinux"
        )
    return "no vCPU runs in a kernel: " + where(context)


def _of_live(
    context: Context, images: list[Image], sound: list[Image], live: list[Image]
) -> Choice:
    """Of the images that vCPUs run in: the one, or the one that crashed before it."""
    if any(i.is_capture for i in live):
        crashed = [i for i in sound if i.captured_by is not None]
        if len(crashed) == 1 and all(i.is_capture or i is crashed[0] for i in live):
            return _choice(crashed[0], "it crashed, and a capture kernel runs after it")
        return Choice(None, "a capture kernel runs, but the kernel that crashed can't be told")
    live, copies = _without_copies(live)
    others = [i for i in images if i not in (live[0], *copies) and (is_rival(i) or i.running)]
    # One vCPU's bent tables lead to several places, of which only one may hold a kernel.
    several = [live[0], *(i for i in others if i.cpus or (i.running and i in sound))]
    if len(several) == 1:
        doubles = [i.id for i in others if i.text_vaddr == live[0].text_vaddr]
        if doubles and live[0].witnesses and accounting.MEMORY_MAP not in live[0].held:
            return Choice(
                None,
                f"{_vcpus(live[0])} at addresses of {live[0].id} and of {doubles[0]}, one of "
                "which is a copy of the other",
            )
        return _of_one(context, live[0], others)
    places = ", ".join(f"{i.id} ({_vcpus(i)})" for i in several)
    return Choice(None, f"vCPUs run in several kernels: {places}")


def _without_copies(live: list[Image]) -> tuple[list[Image], list[Image]]:
    """Of images at the same addresses the one in memory that is a kernel's, and the others.

    All are kept where vCPUs' page tables tell, or struct pages don't: by its own they have
    to bear the one out, and to refute each other.
    """
    real = [i for i in live if accounting.MEMORY_MAP in i.held]
    copies = [i for i in live if accounting.MEMORY_MAP in i.failed]
    if len(real) == 1 and len(real) + len(copies) == len(live) and not any(i.cpus for i in live):
        return real, copies
    return live, []


def _of_one(context: Context, live: Image, others: list[Image]) -> Choice:
    """The kernel that runs, unless it may do so because another crashed."""
    if live.is_no_capture:
        return _choice(live, f"{_vcpus(live)} in it")
    if others or context.crash_noted or _some_stray(context):
        more = "nothing tells" if context.vmlinux else "give the vmlinux"
        return Choice(None, f"the kernel that runs may be a capture kernel: {more}")
    trust = "strong" if confidence(live) == "certain" else confidence(live)
    return Choice(live, f"{_vcpus(live)} in it", trust)


def _some_stray(context: Context) -> bool:
    """True when a vCPU uses page tables, of which no kernel can be told."""
    return any(
        cpu.paging and kernel_root(context, cpu) is None for cpu in context.cpus[:_MAX_STRAYS]
    )


def _only(context: Context, images: list[Image], sound: list[Image]) -> Choice:
    """Without CPU state: the one that may have run, if there is just one."""
    rivals = [i for i in listed(images) if i not in sound and is_rival(i)]
    matching = [i for i in sound if i.matches_vmlinux]
    sound = matching or sound
    crashed = [i for i in sound if i.captured_by is not None]
    if len(crashed) == 1 and all(i.is_capture for i in (*sound, *rivals) if i is not crashed[0]):
        return _alone(context, crashed[0], "a capture kernel was started after it")
    if len(sound) > 1:
        places = ", ".join(i.id for i in sound)
        return Choice(None, f"several intact kernels ({places}) and no vCPU state to tell")
    if not sound:
        return Choice(None, _nothing(context, images))
    if rivals:
        places = ", ".join(i.id for i in rivals[:4])
        return Choice(
            None, f"beside the kernel at {sound[0].id} others may have run ({places}, damaged?)"
        )
    if sound[0].is_capture or (sound[0].knows_little and not sound[0].is_no_capture):
        return Choice(
            None,
            f"the kernel at {sound[0].id} knows only a part of memory, as a capture kernel does; "
            "the one that crashed was not found",
        )
    return _alone(context, sound[0], "the only intact kernel image in memory")


def _alone(context: Context, image: Image, reason: str) -> Choice:
    """That image, unless something was not looked at or can't be read."""
    if context.damaged:
        places = ", ".join(f"{place:#x}" for place in sorted(context.damaged)[:4])
        return Choice(None, f"beside the kernel at {image.id} a damaged one lies at {places}")
    if context.tables_told and not _runs_there(context, image):
        return Choice(
            None,
            "the page tables that the vCPUs run on are not in the dump, and nothing ties them "
            f"to the kernel at {image.id}",
        )
    if context.bounded:
        return Choice(None, "too many forged kernels in memory to look at all of them")
    return _choice(image, f"{reason}; no vCPU state tells")


def _runs_there(context: Context, image: Image) -> bool:
    """True where a vCPU whose tables are not in the dump executes the image's text.

    What is cut off may have held any other kernel.
    """
    start, end = image.text_vaddr, image.vaddr("_etext")
    if start is None or end is None or not context.dump.complete:
        return False
    return any(start <= cpu.pc < end for cpu in context.cpus)


def _nothing(context: Context, images: list[Image]) -> str:
    if context.unstarted and not images:
        places = ", ".join(f"{place:#x}" for place in sorted(context.unstarted)[:4])
        return f"the kernel's image lies at {places}, but has not run there"
    planted = len(context.hollow) + len(context.refuted)
    if not images and not planted:
        return "no kernel found"
    if images and context.vmlinux is None and not context.cpus:
        places = ", ".join(i.id for i in listed(images)[:4])
        return (
            f"nothing proves what was found (at {places}): without vCPU state a program in the "
            "guest could have written it; give the vmlinux"
        )
    return "nothing bears out what was found"


def _pick(context: Context, images: list[Image], sound: list[Image], wanted: str) -> Choice:
    if wanted not in ("live", "crashed"):
        return _by_id(context, images, wanted)
    if wanted == "crashed":
        fits = [i for i in sound if i.captured_by is not None]
    else:
        fits = [i for i in sound if i.running and i.captured_by is None]
    if len(fits) == 1:
        return _choice(fits[0], f"the {wanted} kernel was asked for")
    return Choice(None, f"{'no' if not fits else 'more than one'} {wanted} kernel was found")


def _by_id(context: Context, images: list[Image], wanted: str) -> Choice:
    """The image of that id, no more certain than the evidence that it runs."""
    image = next((i for i in images if i.id == wanted), None)
    if image is None:
        known = ", ".join(i.id for i in listed(images)[:8]) or "none"
        return Choice(None, f"there is no kernel {wanted}; found: {known}")
    trust = confidence(image)
    if trust not in SOUND:
        return Choice(None, f"kernel {wanted} is not borne out by what is in memory")
    if image.running or image.captured_by is not None:
        return Choice(image, f"kernel {wanted} was asked for", trust)
    if any(told(context, cpu) for cpu in context.cpus):
        return Choice(image, f"asked for, but stale or forged: no vCPU runs in {wanted}", "weak")
    unasked = choose(context, images)
    if unasked.image is image:
        return unasked
    return Choice(image, "asked for; nothing tells whether it ran", "weak")


def listed(images: list[Image]) -> list[Image]:
    """The images in the order they are listed: by physical place.

    Of those at one place at most one can be right: the one that most bears out.
    """
    best: dict[str, Image] = {}
    for image in sorted(images, key=_support):
        best[image.id] = image
    return sorted(best.values(), key=lambda i: (i.text_paddr or 0, i.voffset))


def _support(image: Image) -> tuple[int, int, int, int]:
    trust = ("none", "weak", "strong", "certain").index(confidence(image))
    return trust, len(image.running), len(image.held), image.voffset


def told(context: Context, cpu: Cpu) -> bool:
    """True when it can be told where a vCPU is.

    One whose page tables the dump lacks says nothing.
    """
    if not cpu.known:
        return False
    roots = context.roots(cpu)
    return not cpu.paging or (bool(roots) and context.memory.get(roots[0], 8) is not None)


def where(context: Context) -> str:
    """Where the vCPUs are, in words."""
    return "; ".join(_place(context, cpu) for cpu in context.cpus[:8])


def _place(context: Context, cpu: Cpu) -> str:
    if not told(context, cpu):
        return f"vCPU {cpu.number}: page tables not in the dump"
    maps = (
        "an unknown kernel mapped" if kernel_root(context, cpu) is not None else "no kernel mapped"
    )
    return f"vCPU {cpu.number} in {cpu.mode} at {cpu.pc:#x}, {maps}"


def _vcpus(image: Image) -> str:
    """The vCPUs of an image, and that its page tables map other memory too where they do."""
    cpus = image.running
    text = f"{vcpus(cpus)} run{'s' if len(cpus) == 1 else ''}"
    return f"on bent page tables {text}" if image.partial_cpus and not image.cpus else text
