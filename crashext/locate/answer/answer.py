# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting the outcome of a search into the words and fields of the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...arch.base import Evidence
from ...text import printable
from ..choice.choose import Choice
from ..choice.confidence import is_rival
from ..context import Context
from ..image import vmcoreinfo_data
from ..image.image import Image
from ..result import Location
from .kernels import describe, describe_vcpus
from .packages import DebugPackage, debug_package, debuginfod_urls

#: Refuted claims, and images not chosen, shown one by one; a guest can plant any number.
_MAX_SHOWN = 8
#: How the warning begins that lists the checks that had nothing to say.
UNCHECKED = "could not check without a vmlinux: "


def answer(
    context: Context, images: list[Image], choice: Choice, seconds: Callable[[], float]
) -> Location:
    """The Location for the images found and the choice; ``seconds`` tells the time spent."""
    image = choice.image
    paging = None if image is None else image.paging
    text = image.named_text if image else None
    fits = None if context.vmlinux is None or image is None else image.matches_vmlinux
    packages = _packages(images, image)
    return Location(
        path=context.dump.path,
        arch=context.arch.name,
        found=image is not None,
        vmlinux_fits=fits,
        phys_base=context.arch.phys_base(image.voffset) if image else None,
        kaslr_offset=image.kaslr_offset if image else None,
        text_vaddr=text,
        text_paddr=image.paddr(text) if image and text is not None else None,
        release=_text(image.release) if image else None,
        banner=_text(image.banner) if image else None,
        build_id=image.build_id if image else None,
        phys_offset=context.arch.phys_offset(context, image) if image else None,
        page_table_levels=paging.levels or None if paging else None,
        va_bits=paging.va_bits or None if paging else None,
        page_size=paging.page_size if paging else None,
        method=image.proposals[0].source if image else None,
        confidence=choice.confidence,
        confirmed_by=image.held if image else (),
        evidence=tuple(_evidence(context, images, image)),
        kernels=tuple(describe(context, images, image)),
        debug_packages=_once([name for package in packages for name in package.names]),
        debug_install=_once([package.install for package in packages if package.install]),
        debuginfod=debuginfod_urls(image.build_id) if image else (),
        vcpus=tuple(describe_vcpus(context, images)),
        vmcoreinfo=_vmcoreinfo(context, image),
        crash_args=context.arch.crash_args(context, image) if image else (),
        warnings=tuple(_warnings(context, image, fits)),
        reason=choice.reason if image else context.dump.lacks or choice.reason,
        pages_read=context.memory.pages_read,
        seconds=seconds(),
        steps=context.course(),
    )


def _packages(images: list[Image], chosen: Image | None) -> list[DebugPackage]:
    """Where to get the vmlinux of the answer; without one, of what may have been it."""
    wanted = [chosen] if chosen else [i for i in images if i.running or is_rival(i)]
    return [debug_package(image.banner, image.build_id) for image in wanted if image.banner]


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))[:_MAX_SHOWN]


def _misfit(context: Context, image: Image) -> str:
    """One line for a vmlinux of another build than the kernel found."""
    given = context.vmlinux
    assert given is not None
    return (
        f"{given.path} does not fit: it is {_identity(given.banner, given.build_id)}, the dump's "
        f"kernel is {_identity(image.banner, image.build_id)}"
    )


def _identity(banner: bytes | None, build_id: str | None) -> str:
    """Release and build in few words: the end of the banner tells builds of a release apart."""
    words = (banner or b"").split(b" ", 3)
    release = printable(words[2][:64]) if len(words) > 3 else "an unknown kernel"
    build = printable((banner or b"").strip().rpartition(b"#")[2][:80]) if banner else ""
    text = release + (f" #{build}" if build else "")
    return text + (f" (build ID {build_id[:12]}...)" if build_id else "")


def _evidence(context: Context, images: list[Image], chosen: Image | None) -> list[Evidence]:
    evidence = []
    for image in [i for i in images if i is chosen] if chosen else images[:_MAX_SHOWN]:
        held = None if chosen is None else True
        evidence += [Evidence(p.source, p.detail, held) for p in image.proposals[:_MAX_SHOWN]]
        evidence += [*image.checks.values(), *image.lineage]
    if chosen is not None:
        others = [p for i in images if i is not chosen for p in i.proposals]
        evidence += [Evidence(p.source, p.detail, False) for p in others[:_MAX_SHOWN]]
    refuted = context.refuted[:_MAX_SHOWN]
    return evidence + [Evidence(p.source, p.detail, False) for p in refuted]


def _warnings(context: Context, image: Image | None, fits: bool | None) -> list[str]:
    warnings = list(context.dump.warnings)
    if image is not None and fits is False:
        warnings.append(_misfit(context, image))
    warnings += context.warnings
    if len(context.refuted) > _MAX_SHOWN:
        warnings.append(
            f"{len(context.refuted)} VMCOREINFO texts in memory that no page tables bear out"
        )
    if context.hollow:
        number = len(context.hollow)
        places = f"{number} places hold" if number > 1 else "1 place holds"
        warnings.append(f"{places} a kernel's banner, but no kernel: planted, or left over")
    warnings += list(context.memory.bad_pages.values())[:8]
    if image is not None and image.kaslr_offset is None:
        warnings.append("nothing in the dump tells the KASLR offset surely: give the vmlinux")
    if image is not None and context.dump.byte_order != context.arch.byte_order:
        warnings.append(
            f"the file's headers are {context.dump.byte_order}-endian, its guest is "
            f"{context.arch.byte_order}-endian: crash does not open such a file"
        )
    if image is not None and context.arch.crash_lacks and context.dump.vmcoreinfo is None:
        warnings.append(context.arch.crash_lacks)
    if image is not None and context.vmlinux is None:
        unchecked = [name for name, check in image.checks.items() if check.held is None]
        unchecked = [name for name in unchecked if name != "cpu_page_tables"]
        if unchecked:
            warnings.append(UNCHECKED + ", ".join(unchecked))
    return warnings


def _vmcoreinfo(context: Context, image: Image | None) -> str | None:
    """The kernel's own VMCOREINFO text, else one that tables bear out; each line made printable."""
    raw = None if image is None else vmcoreinfo_data.text(context, image)
    return None if raw is None else "".join(printable(x) + "\n" for x in raw.splitlines())


def _text(value: str | bytes | None) -> str | None:
    if value is None:
        return None
    return printable(value.strip() if isinstance(value, str) else value.rstrip(b"\n"))
