# SPDX-License-Identifier: GPL-3.0-or-later
"""One kernel image in guest memory: proposed by several ways, borne out by checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ...arch.base import MASK64, Architecture, Evidence, Paging, Proposal
from ...symbols.runtime import KnownSymbols, RuntimeSymbols
from ...vmcoreinfo import Vmcoreinfo
from ..ways import page_tables


@dataclass(eq=False)
class Image:
    """A kernel image at ``voffset``; what is not known is None.

    ``proposals`` led to it, ``checks`` maps a check's name to what it found.
    ``matches_vmlinux`` is None without a vmlinux. ``is_capture`` marks a kdump capture
    kernel, ``captured_by`` is the capture kernel that took over from this one, and
    ``lineage`` what bears that out. ``knows_little`` is True for a kernel that maps only
    a small part of RAM, ``is_no_capture`` for one whose command line says so. ``witnesses``
    are vCPUs that execute its text by their registers alone. ``made_of_memory`` is True where the
    vmlinux was made from a guest's memory: it would bear out whatever that guest says.
    """

    arch: Architecture
    voffset: int
    kaslr_offset: int | None = None
    text_vaddr: int | None = None
    paging: Paging | None = None
    proposals: list[Proposal] = field(default_factory=list)
    symbols: RuntimeSymbols = field(default_factory=lambda: KnownSymbols({}, "none"))
    checks: dict[str, Evidence] = field(default_factory=dict)
    matches_vmlinux: bool | None = None
    made_of_memory: bool = False
    banner: bytes | None = None
    build_id: str | None = None
    is_capture: bool = False
    captured_by: Image | None = None
    lineage: list[Evidence] = field(default_factory=list)
    knows_little: bool = False
    is_no_capture: bool = False
    witnesses: list[int] = field(default_factory=list)

    @property
    def id(self) -> str:
        """What names this image, whatever was searched: the physical place of ``_text``.

        Where nothing tells where the text starts, its voffset.
        """
        place = self.text_paddr
        return f"voffset:{self.voffset:#x}" if place is None else f"{place:#x}"

    @property
    def cpus(self) -> list[int]:
        """The vCPUs whose page tables map this image, whole."""
        return [p.cpu for p in self._of_tables if p.whole and p.cpu is not None]

    @property
    def partial_cpus(self) -> list[int]:
        """The vCPUs whose page tables map a part of it, and other memory in between."""
        return [p.cpu for p in self._of_tables if not p.whole and p.cpu is not None]

    @property
    def running(self) -> list[int]:
        """The vCPUs that run in it: as their page tables say, or their registers alone."""
        return self.cpus or self.partial_cpus or self.witnesses

    @property
    def _of_tables(self) -> list[Proposal]:
        return [p for p in self.proposals if p.source == page_tables.SOURCE]

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
        return [p.info for p in self.proposals if p.info and p.text_vaddr is not None]

    @property
    def info(self) -> Vmcoreinfo | None:
        """The first of them."""
        return next(iter(self.infos), None)

    @property
    def text_paddr(self) -> int | None:
        """Physical address of ``_text``."""
        return None if self.text_vaddr is None else self.paddr(self.text_vaddr)

    @property
    def named_text(self) -> int | None:
        """Run-time address of ``_text``, which need not be the image's first byte.

        Where that symbol is not known, the first byte's, ``text_vaddr``.
        """
        named = self.vaddr("_text")
        return self.text_vaddr if named is None or self.text_vaddr is None else named

    @property
    def has_symbols(self) -> bool:
        """True when symbols of the image are known from anywhere."""
        return self.symbols.origin != "none"

    @property
    def has_all_symbols(self) -> bool:
        """True when any symbol can be looked up, not just the few that VMCOREINFO names."""
        return self.symbols.origin in ("vmlinux", "kallsyms")

    @property
    def can_be_compared(self) -> bool:
        """True when its symbols are those of a vmlinux that no guest had a hand in."""
        return self.symbols.origin == "vmlinux" and not self.made_of_memory

    @property
    def own_checks(self) -> tuple[str, str]:
        """Names of the two checks of what only the kernel itself writes."""
        return self.arch.placements[0], self.arch.top_tables[0]

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
        return (vaddr - self.voffset) & MASK64

    def vaddr(self, *names: str) -> int | None:
        """Run-time address of the first known symbol, if it lies in the image window."""
        value = self.symbols.vaddr(*names)
        return value if value is not None and self.arch.is_image_vaddr(value) else None

    def symbol_paddr(self, name: str) -> int | None:
        """Physical address of a symbol, None if it is not known."""
        vaddr = self.vaddr(name)
        return None if vaddr is None else self.paddr(vaddr)

    def fits(self, proposal: Proposal) -> bool:
        """True when the proposal can be of this image."""
        return self.voffset == proposal.voffset and (
            None in (self.text_vaddr, proposal.text_vaddr) or self.text_vaddr == proposal.text_vaddr
        )

    def add(self, proposal: Proposal) -> None:
        """Take what the proposal knows and the image does not yet."""
        self.proposals.append(proposal)
        for name in ("text_vaddr", "paging"):
            if getattr(self, name) is None:
                setattr(self, name, getattr(proposal, name))
        if self.kaslr_offset is None and proposal.info is None:
            self.kaslr_offset = proposal.kaslr_offset


def sort_in(arch: Architecture, proposal: Proposal, images: list[Image]) -> Image:
    """Add a proposal to the image it is of, a new one at the end of ``images`` if need be.

    They agree on the voffset, and on where the image starts where both know it. What a
    text claims of the KASLR offset decides nothing here: the image itself knows.
    """
    image = fitting(images, proposal)
    if image is None:
        image = Image(arch, proposal.voffset)
        images.append(image)
    image.add(proposal)
    return image


def fitting(images: Iterable[Image], proposal: Proposal) -> Image | None:
    """The image that ``proposal`` can be of, or None."""
    return next((image for image in images if image.fits(proposal)), None)


def vcpus(numbers: Sequence[int]) -> str:
    """``vCPU #0``, ``vCPUs #0, #1 and #3``: by the sign they aren't taken for counts."""
    *first, last = [f"#{number}" for number in numbers]
    return f"vCPUs {', '.join(first)} and {last}" if first else f"vCPU {last}"
