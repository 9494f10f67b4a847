# SPDX-License-Identifier: GPL-3.0-or-later
"""Learning which kernel an image is from the image itself, without a vmlinux.

The kernel's page tables tell its parts by their rights: text is executable, .rodata
neither executable nor writable. The banner and the kernel's own symbol table are in
.rodata; the symbols then let every check run that a vmlinux would allow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...arch.base import Run
from ...symbols import kallsyms
from ...symbols.runtime import KnownSymbols
from ..context import Context
from ..memory import PAGE_SIZE
from .image import Image

#: The real banner ends in newline and NUL and has the build number; the format string
#: of /proc/version and the fragment in compressed images do not.
_BANNER = re.compile(rb"Linux version \d[^\0\n]{8,900} #\d[^\0\n]{0,200}\n\0")
#: .rodata of a distribution kernel is 8-20 MiB; more is not looked at.
RODATA_MAX = 64 << 20
_STEP = 1 << 20
#: What the checks ask for on every architecture; each adds its own.
_WANTED = (
    *("linux_banner", "vmcoreinfo_data", "__start_notes", "__stop_notes", "saved_command_line"),
    *("elfcorehdr_addr", "system_state", "panic_cpu", "crashing_cpu", "crashk_res"),
    *("_text", "_stext", "_etext", "_end", "init_uts_ns"),
)


def wanted(context: Context) -> frozenset[str]:
    """The symbols that anything here looks at."""
    arch = context.arch
    return frozenset(
        (*_WANTED, *arch.top_tables, *arch.placements, *arch.symbols, *arch.start_symbols)
    )


def identify(context: Context, image: Image, runs: list[Run]) -> None:
    """Give ``image`` its banner and symbols from its own memory, mapped as ``runs``."""
    if image.text_vaddr is None:
        return
    layout = kallsyms.Layout(context.arch.byte_order, context.arch.word)
    told = {} if image.info is None else dict(image.info.symbols)
    # What lies before .text may not be mapped.
    starts = sorted({image.text_vaddr, *(run.vaddr for run in runs[:1])})
    for run in read_only(runs):
        found: dict[str, int] = {}
        for block in _growing(context, run):
            if image.banner is None:
                match = _BANNER.search(block)
                image.banner = bytes(match.group()[:-1]) if match else None
            found = found or kallsyms.decode(block, starts, wanted(context), layout, run.vaddr)
            if found and image.banner is not None:
                break
        if found:
            # Without CONFIG_KALLSYMS_ALL it has functions alone.
            whole = any(name in found for name in context.arch.top_tables)
            origin = "kallsyms" if whole else "kallsyms of functions"
            image.symbols = KnownSymbols(told | found, origin)
            return


def _growing(context: Context, run: Run) -> Iterator[bytearray]:
    """A copy as far as kallsyms may reach, then of all: as much lies behind (BTF, exports)."""
    size, read = min(run.size, RODATA_MAX), context.memory.block
    block = bytearray()
    end = None
    while len(block) < (size if end is None else min(end, size)):
        seen = len(block)
        block += read(run.paddr + seen, min(_STEP, size - seen))
        end = kallsyms.likely_end(block, seen) if end is None else end
    yield block
    if len(block) < size:
        block += read(run.paddr + len(block), size - len(block))
        yield block


def banner_before_kallsyms(context: Context, image: Image) -> None:
    """Read the banner alone, where VMCOREINFO names the tables of kallsyms (6.0 and later).

    They are linked last of all read-only data, right behind init/version-timestamp.c.
    """
    symbols = {} if image.info is None else image.info.symbols
    tables = [vaddr for name, vaddr in symbols.items() if name.startswith("kallsyms_")]
    if tables and image.arch.is_image_vaddr(min(tables)):
        before = image.paddr(min(tables)) - PAGE_SIZE
        match = _BANNER.search(context.memory.get(before, PAGE_SIZE) or b"")
        image.banner = bytes(match.group()[:-1]) if match else None


def read_only(runs: list[Run]) -> Iterator[Run]:
    """The runs that can be .rodata, likeliest first.

    Before mark_rodata_ro() the whole image has equal rights: then all of it.
    """
    rodata = [run for run in runs if not run.writable and not run.executable]
    yield from sorted(rodata, key=lambda run: -run.size)
    if not rodata:
        yield from runs
