# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting the outcome of a search into the words and fields of the answer."""

from __future__ import annotations

from collections.abc import Callable

from ..text import hex64, printable
from .choose import choose, confidence
from .context import Context
from .image import Image
from .result import Evidence, Location


def answer(context: Context, images: list[Image], seconds: Callable[[], float]) -> Location:
    """The Location for the images found; ``seconds`` tells the time spent."""
    choice = choose(context, images)
    image = choice.image
    shown = image or _likeliest(images)
    mismatch = _mismatch(context, shown)
    found = image is not None and mismatch is None and image.kaslr_offset is not None
    return Location(
        path=context.dump.path,
        arch="x86_64",
        found=found,
        phys_base=image.phys_base if image and found else None,
        kaslr_offset=image.kaslr_offset if image and found else None,
        text_vaddr=image.text_vaddr if image else None,
        text_paddr=image.text_paddr if image else None,
        release=_text(shown.release) if shown else None,
        banner=_text(shown.banner) if shown else None,
        build_id=shown.build_id if shown else None,
        page_table_levels=shown.levels if shown else None,
        method=image.candidates[0].source if image and found else None,
        confidence=confidence(image) if image and found else "none",
        confirmed_by=image.held if image and found else (),
        evidence=tuple(_evidence(images, image)),
        crash_args=crash_args(image) if image and found else (),
        warnings=tuple(_warnings(context, image, mismatch)),
        reason=mismatch or choice.reason,
        pages_read=context.memory.pages_read,
        seconds=seconds(),
    )


def crash_args(image: Image) -> tuple[str, ...]:
    """The options that make crash start right on this dump."""
    if image.kaslr_offset is None:
        return ()
    return (f"--kaslr={image.kaslr_offset:#x}", "--machdep", f"phys_base={hex64(image.phys_base)}")


def _likeliest(images: list[Image]) -> Image | None:
    return max(images, key=lambda i: (bool(i.cpus), len(i.held)), default=None)


def _mismatch(context: Context, image: Image | None) -> str | None:
    """What to say when the vmlinux given is of another build than the kernel found."""
    if context.vmlinux is None or image is None or image.matches_vmlinux is not False:
        return None
    if not image.held:
        return None
    given = context.vmlinux
    return (
        f"the vmlinux is of another build: the dump has {_identity(image.banner, image.build_id)}"
        f"; {given.path} is {_identity(given.banner, given.build_id)}"
    )


def _identity(banner: bytes | None, build_id: str | None) -> str:
    text = "an unknown kernel" if banner is None else f'"{printable(banner.strip())}"'
    return text + (f" (build ID {build_id})" if build_id else "")


def _evidence(images: list[Image], chosen: Image | None) -> list[Evidence]:
    evidence = []
    for image in images:
        held = None if chosen is None else image is chosen
        evidence += [Evidence(c.source, c.detail, held) for c in image.candidates]
        if image is chosen or chosen is None:
            evidence += image.checks.values()
    return evidence


def _warnings(context: Context, image: Image | None, mismatch: str | None) -> list[str]:
    warnings = list(context.dump.warnings)
    if mismatch is not None:
        warnings.append(mismatch)
    warnings += list(context.memory.bad_pages.values())[:8]
    if image is not None and image.kaslr_offset is None:
        warnings.append("the KASLR offset could not be told without a vmlinux")
    if image is not None and context.vmlinux is None:
        unchecked = [name for name, check in image.checks.items() if check.held is None]
        if unchecked:
            warnings.append("could not check without a vmlinux: " + ", ".join(unchecked))
    return warnings


def _text(value: str | bytes | None) -> str | None:
    if value is None:
        return None
    return printable(value.strip() if isinstance(value, str) else value.rstrip(b"\n"))
