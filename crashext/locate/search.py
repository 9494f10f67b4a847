# SPDX-License-Identifier: GPL-3.0-or-later
"""The search itself: ways tried cheapest first, each proposal examined, until it is certain."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from operator import add

from ..arch.base import Proposal
from ..symbols.runtime import KnownSymbols
from ..symbols.vmlinux import Vmlinux
from .choice.confidence import SOUND, confidence
from .context import MOST_NOTED, Context, Step
from .encrypted import looks_encrypted
from .image import accounting, body, capture, kaslr
from .image.checks import verify
from .image.examine import contradicted, examine, hollow, traces_stand
from .image.image import Image, fitting, sort_in
from .ways import CHEAP, FULL, LAST, SPARING, Way, banner, elfcorehdr, vmcoreinfo_memory

#: Images examined. What a real image can't fail is tested before one takes a place, and
#: which come first does not depend on where they lie; see :func:`_in_order`.
_MAX_IMAGES = 32
#: Of other builds than the vmlinux given, where no vCPU runs in them: they are only listed.
_MAX_OTHERS = 8


def search(context: Context, *, everything: bool = False) -> list[Image]:
    """Every image found, examined. Full searches run only where the cheap ways don't settle it.

    ``everything`` searches all of RAM in any case.
    """
    images: list[Image] = []
    _add(context, images, [p for way in CHEAP for p in _tried(context, way)])
    _follow_captures(context, images)
    if context.sparing and not (everything or settled(images)):
        _add(context, images, _tried(context, SPARING))
    enough = _likely(context, images) and not everything
    for way in FULL:
        if enough or (settled(images) and not everything):
            break
        _add(context, images, _tried(context, way))
        _follow_captures(context, images)
    for way in LAST:
        if everything or not any(confidence(image) in SOUND for image in images):
            _add(context, images, _tried(context, way))
            _follow_captures(context, images)
    if any(kaslr.rests_on_note(context, image) for image in images) and settled(images):
        again = Way(vmcoreinfo_memory.SOURCE, vmcoreinfo_memory.propose)
        _add(context, images, _tried(context, again))
    if everything or not (enough or settled(images)):
        _find_twins(context, images)
        _judge_unplaced(context, images)
    _follow_captures(context, images)
    _weigh_books(context, images)
    if not images and looks_encrypted(context):
        context.warn("memory looks encrypted (SEV, TDX?): nothing can be read from this dump")
    return images


def _tried(context: Context, way: Way) -> list[Proposal]:
    """What a way proposes; the search's course has it as a step."""
    before = context.memory.pages_read
    proposals = list(way.propose(context))
    words = tuple(p.detail for p in proposals[:MOST_NOTED])
    pages = context.memory.pages_read - before
    context.tried.append(Step(way.source, len(proposals), pages, words))
    return proposals


def settled(images: list[Image]) -> bool:
    """True when a vCPU lives in an image that is certain: nothing in RAM can change that.

    Of a capture kernel it is wanted to know as well which kernel crashed before it.
    """
    live = [i for i in images if i.running and confidence(i) == "certain"]
    return (
        bool(live)
        and all(i.is_capture or i.is_no_capture for i in live)
        and all(
            any(j.captured_by is i and confidence(j) in ("certain", "strong") for j in images)
            for i in live
            if i.is_capture
        )
    )


def _likely(context: Context, images: list[Image]) -> bool:
    """True when an image holds that is alive, and looking for others would cost too much.

    A kernel that was not moved shares its addresses with the one before it: then RAM has to be
    known to have no further one. Where all vCPUs run programs, no other kernel's code may be
    in it.
    """
    if not context.sparing or context.arch.kernel_code is None or settled(images):
        return False
    sound = [i for i in images if confidence(i) in SOUND]
    if any(i.is_capture or i.knows_little for i in sound):
        return False  # the kernel that crashed is what is wanted
    live = [i for i in sound if i.running]
    in_kernel = any(context.arch.is_image_vaddr(cpu.pc) for cpu in context.cpus)
    only = not in_kernel and len(sound) == 1 == context.swept
    if not only and not any(i.kaslr_offset or context.swept is not None for i in live):
        return False
    context.warn("memory was searched only as far as to a kernel that holds and is alive")
    return True


def _follow_captures(context: Context, images: list[Image]) -> None:
    """Find the kernels that crashed before the capture kernels among ``images``, and add them."""
    # Those first whose variable says so: of a kernel that crashed nothing more is asked.
    for image in sorted(images, key=lambda i: not capture.variable_is_set(context, i)):
        known = any(i.captured_by is image for i in images) or image.captured_by is not None
        if known or (image.is_capture and not capture.took_over(context, image)):
            continue
        start = None if image.is_capture else capture.header_paddr(context, image)
        if start is not None:
            way = Way(elfcorehdr.SOURCE, partial(elfcorehdr.propose, start=start))
            before = _add(context, images, _tried(context, way))
        elif capture.took_over(context, image):
            before = list(images)  # the crashed kernel knows where it put this one
        else:
            continue
        image.is_capture = True
        for found in before:
            if found is image:
                continue
            found.lineage = list(capture.lineage(context, image, found))
            verdicts = {evidence.held for evidence in found.lineage}
            if True in verdicts and False not in verdicts:
                found.captured_by = image


def _weigh_books(context: Context, images: list[Image]) -> None:
    """Where registers alone put a vCPU into an image, and others have its addresses, see which
    of them account for memory: a copy is all that registers can't tell."""
    witnessed = {image.text_vaddr for image in images if image.witnesses}
    alike = [image for image in images if image.text_vaddr in witnessed]
    if len(alike) > 1:
        for image in alike:
            evidence = accounting.books(context, image)
            image.checks[evidence.name] = evidence


def _find_twins(context: Context, images: list[Image]) -> None:
    """Find images of the builds met that nothing else led to; the vmlinux's were probed for."""
    for image in list(images):
        build = None if image.matches_vmlinux else _build_of(context, image)
        if build is None or not isinstance(image.symbols, KnownSymbols):
            continue
        for proposal in banner.images_of(context, build):
            place = proposal.text_paddr
            if fitting(images, proposal) is not None or place is None:
                continue
            distance = place - (image.text_paddr or 0)
            if body.like_twin(context, image, distance).held is False:
                context.hollow.add(place)
            elif _has_room(context, images):
                twin = sort_in(context.arch, proposal, images)
                moved = (proposal.text_vaddr or 0) - (image.text_vaddr or 0)
                twin.symbols = image.symbols.moved(moved)
                twin.matches_vmlinux = image.matches_vmlinux
                twin.made_of_memory = image.made_of_memory
                verify(context, twin)


def _build_of(context: Context, image: Image) -> banner.Build | None:
    """What other images of the build of ``image`` have in common with it."""
    linux_banner, placement = image.vaddr("linux_banner"), image.vaddr(*context.arch.placements)
    text, offset, words = image.text_vaddr, image.kaslr_offset, image.banner
    if linux_banner is None or placement is None or text is None:
        return None
    if offset is None or words is None:
        return None
    base = context.image_start(text) - offset
    placing = {
        name: None if vaddr is None else vaddr - offset
        for name in banner.placing_symbols(context.arch)
        for vaddr in (image.vaddr(name),)
    }
    return banner.Build(words, base, linux_banner - offset, placing)


def _judge_unplaced(context: Context, images: list[Image]) -> None:
    """Of the places with the banner, but no placement to be read, tell those that hold a kernel."""
    taken = {image.text_paddr for image in images}
    vmlinux = context.vmlinux
    text = context.linked(*context.arch.start_symbols)
    for place in context.unplaced:
        if vmlinux is None or text is None or place in taken:
            continue
        if _never_ran(context, vmlinux, place - context.image_start(text)):
            context.unstarted.add(place)
            continue
        found = body.of_build(context, vmlinux, partial(add, place - context.image_start(text)), 0)
        (context.damaged if found.held else context.hollow).add(place)


def _never_ran(context: Context, vmlinux: Vmlinux, distance: int) -> bool:
    """True for a copy whose variable for the placement is as it was linked.

    Boot loaders leave such copies behind; the variable is among the first that a kernel sets.
    """
    word, linked = context.arch.word, vmlinux.symbol(context.arch.placements[0])
    initial = None if linked is None else vmlinux.read(linked, word)
    if linked is None or initial is None:
        return False
    return context.memory.get(linked + distance, word) == initial


def _add(context: Context, images: list[Image], proposals: Iterable[Proposal]) -> list[Image]:
    """Sort proposals into images, examine the new ones; returns all images concerned."""
    fresh: list[Image] = []
    concerned: list[Image] = []
    for proposal in _in_order(proposals):
        if not _worth_a_place(context, images, proposal):
            continue
        image = sort_in(context.arch, proposal, images)
        if image not in concerned:
            concerned.append(image)
        # A text brings the few symbols that an image without all of them was short of.
        short = proposal.text_vaddr is not None and not image.has_all_symbols
        if image not in fresh and (not image.checks or (proposal.info and short)):
            fresh.append(image)
        elif proposal.info and image.symbols.origin != "vmlinux":
            image.kaslr_offset = kaslr.own_kaslr_offset(context, image)
    for image in fresh:
        examine(context, image)
    return concerned


def _in_order(proposals: Iterable[Proposal]) -> list[Proposal]:
    """Those that page tables bear out first; then whatever the order they came in."""
    return sorted(proposals, key=lambda p: (_is_bare_claim(p), p.cpu is None))


def _worth_a_place(context: Context, images: list[Image], proposal: Proposal) -> bool:
    """False for what can't be a kernel, and where no room is left for it."""
    if fitting(images, proposal) is not None:
        return True
    said = proposal.voffset, proposal.kaslr_offset
    if _is_bare_claim(proposal) and (
        contradicted(context, *said) or not traces_stand(context, *said)
    ):
        context.refuted.append(proposal)
        context.refuse(proposal, "no such kernel is in memory there")
        return False
    if proposal.source == banner.SOURCE and hollow(context, proposal):
        context.hollow.add(proposal.text_paddr or 0)
        context.refuse(proposal, "the pages around the banner are no kernel's")
        return False
    if (
        context.vmlinux is not None
        and proposal.cpu is None
        and _of_another_build(context, proposal)
    ):
        context.others += 1
        if context.others > _MAX_OTHERS:
            context.warn(f"more than {_MAX_OTHERS} images of other builds; the rest is left out")
            return False
    return _has_room(context, images)


def _of_another_build(context: Context, proposal: Proposal) -> bool:
    """True where neither banner nor notes of the vmlinux stand."""
    text, offset = context.linked(*context.arch.start_symbols), proposal.kaslr_offset
    if text is not None and proposal.text_vaddr is not None:
        offset = proposal.text_vaddr - context.image_start(text)
    return not traces_stand(context, proposal.voffset, offset)


def _has_room(context: Context, images: list[Image]) -> bool:
    if len(images) < _MAX_IMAGES:
        return True
    context.bounded = True
    context.warn(f"more than {_MAX_IMAGES} kernel images in memory; the rest is left out")
    return False


def _is_bare_claim(proposal: Proposal) -> bool:
    """True for a text that no page tables bear out."""
    return proposal.info is not None and proposal.text_vaddr is None
