# SPDX-License-Identifier: GPL-3.0-or-later
"""One kernel image in guest memory: proposed by candidates, borne out by checks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..arch.x86_64 import START_KERNEL_MAP, image_paddr
from ..symbols.runtime import KnownSymbols, RuntimeSymbols
from ..vmcoreinfo import Vmcoreinfo
from .candidate import Candidate
from .result import Evidence


@dataclass(eq=False)
class Image:
    """A kernel image at ``phys_base``; what is not known is None.

    ``candidates`` proposed it, ``cpus`` are the vCPUs whose page tables map it,
    ``checks`` maps a check's name to what it found. ``matches_vmlinux`` is None
    without a vmlinux. ``is_capture`` marks a kdump capture kernel, ``captured_by`` is
    the capture kernel that took over from this one.
    """

    phys_base: int
    kaslr_offset: int | None = None
    text_vaddr: int | None = None
    levels: int | None = None
    candidates: list[Candidate] = field(default_factory=list)
    symbols: RuntimeSymbols = field(default_factory=lambda: KnownSymbols({}, "none"))
    checks: dict[str, Evidence] = field(default_factory=dict)
    matches_vmlinux: bool | None = None
    banner: bytes | None = None
    build_id: str | None = None
    is_capture: bool = False
    captured_by: Image | None = None

    @property
    def cpus(self) -> list[int]:
        """The vCPUs whose page tables map this image."""
        return [c.cpu for c in self.candidates if c.source == "page-tables" and c.cpu is not None]

    @property
    def release(self) -> str | None:
        """The kernel release: of the banner, else of a VMCOREINFO that tables bear out."""
        words = (self.banner or b"").split(b" ", 3)
        if len(words) > 3:
            return words[2].decode("ascii", "replace")
        return next((i.osrelease for i in self.infos), None)

    @property
    def infos(self) -> list[Vmcoreinfo]:
        """The VMCOREINFO texts of this image that page tables bear out."""
        return [c.info for c in self.candidates if c.info and c.text_vaddr is not None]

    @property
    def text_paddr(self) -> int | None:
        """Physical address of ``_text``."""
        return None if self.text_vaddr is None else self.paddr(self.text_vaddr)

    @property
    def has_symbols(self) -> bool:
        """True when symbols of the image are known from anywhere."""
        return self.symbols.origin != "none"

    @property
    def has_all_symbols(self) -> bool:
        """True when any symbol can be looked up, not just the few that VMCOREINFO names."""
        return self.symbols.origin in ("vmlinux", "kallsyms")

    @property
    def held(self) -> tuple[str, ...]:
        """The names of the checks that bear the image out."""
        return tuple(name for name, check in self.checks.items() if check.held)

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the checks that speak against it."""
        return tuple(name for name, check in self.checks.items() if check.held is False)

    def paddr(self, vaddr: int) -> int:
        """Physical address of a run-time address of the image."""
        return image_paddr(vaddr, self.phys_base)

    def vaddr(self, *names: str) -> int | None:
        """Run-time address of the first known symbol, if it lies in the image window."""
        value = self.symbols.vaddr(*names)
        return value if value is not None and value >= START_KERNEL_MAP else None

    def fits(self, candidate: Candidate) -> bool:
        """True when the candidate can be of this image."""
        return self.phys_base == candidate.phys_base and (
            None in (self.text_vaddr, candidate.text_vaddr)
            or self.text_vaddr == candidate.text_vaddr
        )

    def add(self, candidate: Candidate) -> None:
        """Take what the candidate knows and the image does not yet."""
        self.candidates.append(candidate)
        for name in ("text_vaddr", "levels"):
            if getattr(self, name) is None:
                setattr(self, name, getattr(candidate, name))
        if self.kaslr_offset is None and candidate.info is None:
            self.kaslr_offset = candidate.kaslr_offset


def sort_in(candidate: Candidate, images: list[Image]) -> Image:
    """Add a candidate to the image it is of, a new one at the end of ``images`` if need be.

    They agree on phys_base, and on where the image starts where both know it. What a
    text claims of the KASLR offset decides nothing here: the image itself knows.
    """
    image = fitting(images, candidate)
    if image is None:
        image = Image(candidate.phys_base)
        images.append(image)
    image.add(candidate)
    return image


def fitting(images: Iterable[Image], candidate: Candidate) -> Image | None:
    """The image that ``candidate`` can be of, or None."""
    return next((image for image in images if image.fits(candidate)), None)
