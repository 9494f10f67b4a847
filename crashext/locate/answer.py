# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting the outcome of a search into the words and fields of the answer."""

from __future__ import annotations

from collections.abc import Callable

from ..text import hex64, printable
from . import vmcoreinfo_data
from .choose import choose, confidence
from .context import Context
from .from_vmcoreinfo_memory import raw_text
from .image import Image
from .kernels import describe, describe_vcpus
from .packages import debug_packages, debuginfod_urls
from .result import Evidence, Location

#: Refuted claims shown one by one; a guest can plant any number of them.
_MAX_REJECTED = 8


def answer(
    context: Context,
    images: list[Image],
    seconds: Callable[[], float],
    wanted: str | None = None,
) -> Location:
    """The Location for the images found; ``seconds`` tells the time spent.

    ``wanted`` is the kernel asked for, see :func:`crashext.locate.choose.choose`.
    """
    choice = choose(context, images, wanted)
    image = choice.image
    mismatch = _mismatch(context, image)
    found = image is not None and mismatch is None
    return Location(
        path=context.dump.path,
        arch="x86_64",
        found=found,
        phys_base=image.phys_base if image and found else None,
        kaslr_offset=image.kaslr_offset if image and found else None,
        text_vaddr=image.text_vaddr if image else None,
        text_paddr=image.text_paddr if image else None,
        release=_text(image.release) if image else None,
        banner=_text(image.banner) if image else None,
        build_id=image.build_id if image else None,
        page_table_levels=image.levels if image else None,
        method=image.candidates[0].source if image and found else None,
        confidence=confidence(image) if image and found else "none",
        confirmed_by=image.held if image and found else (),
        evidence=tuple(_evidence(context, images, image)),
        kernels=tuple(describe(context, images, image if found else None)),
        debug_packages=debug_packages(image.banner) if image and image.banner else (),
        debuginfod=debuginfod_urls(image.build_id) if image else (),
        vcpus=tuple(describe_vcpus(context, images)),
        vmcoreinfo=_vmcoreinfo(context, image),
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


def _evidence(context: Context, images: list[Image], chosen: Image | None) -> list[Evidence]:
    evidence = []
    for image in images:
        held = None if chosen is None else image is chosen
        evidence += [Evidence(c.source, c.detail, held) for c in image.candidates]
        if image is chosen or chosen is None:
            evidence += image.checks.values()
    refused = context.rejected[:_MAX_REJECTED]
    return evidence + [Evidence(c.source, c.detail, False) for c in refused]


def _warnings(context: Context, image: Image | None, mismatch: str | None) -> list[str]:
    warnings = list(context.dump.warnings)
    if mismatch is not None:
        warnings.append(mismatch)
    warnings += context.warnings
    if len(context.rejected) > _MAX_REJECTED:
        warnings.append(
            f"{len(context.rejected)} VMCOREINFO texts in memory that no page tables bear out"
        )
    warnings += list(context.memory.bad_pages.values())[:8]
    if image is not None and image.kaslr_offset is None:
        warnings.append("nothing in the dump tells the KASLR offset: give the vmlinux")
    if image is not None and context.vmlinux is None:
        checks = {n: c for n, c in image.checks.items() if n != "cpu_page_tables"}
        unchecked = [name for name, check in checks.items() if check.held is None]
        if unchecked:
            warnings.append("could not check without a vmlinux: " + ", ".join(unchecked))
    return warnings


def _vmcoreinfo(context: Context, image: Image | None) -> str | None:
    """The kernel's own VMCOREINFO text, each line made printable."""
    place = None if image is None else vmcoreinfo_data.paddr(context, image)
    raw = None if place is None else raw_text(context, place)
    return None if raw is None else "".join(printable(x) + "\n" for x in raw.splitlines())


def _text(value: str | bytes | None) -> str | None:
    if value is None:
        return None
    return printable(value.strip() if isinstance(value, str) else value.rstrip(b"\n"))
