# SPDX-License-Identifier: GPL-3.0-or-later
"""The KASLR offset of an image whose vmlinux is not at hand: who says what."""

from __future__ import annotations

from ..context import Context
from ..ways.vmcoreinfo_note import SOURCE as _NOTE
from . import vmcoreinfo_data
from .image import Image


def sources(context: Context, image: Image) -> dict[str, set[int]]:
    """The offsets that each source tells.

    What the boot loader left may tell the address that _text was linked for; the
    VMCOREINFO that the kernel's own pointer leads to says the offset outright, and so do
    texts found elsewhere that page tables bear out.
    """
    found: dict[str, set[int]] = {}
    offset = context.arch.boot_kaslr_offset(context, image)
    if offset is not None:
        found["boot parameters"] = {offset}
    info = vmcoreinfo_data.info(context, image)
    if info is not None and info.kernel_offset is not None:
        found["vmcoreinfo_data"] = {info.kernel_offset}
    for proposal in image.proposals:
        text = proposal.info
        if text is not None and proposal.text_vaddr is not None and text.kernel_offset is not None:
            found.setdefault(proposal.source, set()).add(text.kernel_offset)
    return found


def own_kaslr_offset(context: Context, image: Image) -> int | None:
    """The offset that all sources agree on, None where nothing tells or they contradict.

    The file's note alone does not count: whoever wrote the file wrote it.
    """
    found = sources(context, image)
    told = set().union(*found.values())
    if len(told) > 1:
        words = ", ".join(f"{name} {offset:#x}" for name, offsets in sorted(found.items())
                          for offset in sorted(offsets)[:2])  # fmt: skip
        context.warn(f"the KASLR offset is told differently ({words}): give the vmlinux")
        return None
    return told.pop() if told and set(found) != {_NOTE} else None


def rests_on_note(context: Context, image: Image) -> bool:
    """True where only the file's note tells the offset, so that a second source is wanted."""
    return image.symbols.origin != "vmlinux" and set(sources(context, image)) == {_NOTE}
