# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a vmlinux of the kernel that was found in a dump."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..dumps.elf_types import machine_of
from ..errors import RebuildError, TypesError
from ..kernel.kernel import Kernel
from ..locate import Found
from ..repair.write.beside import beside, permit_as
from ..repair.write.sink import Data, FileSink, Sink
from .debug import PRODUCER, Debug, debug_of
from .elf.file import Contents, Extra, write_file
from .elf.headers import Target
from .elf.symtab import Known, symbol_table
from .layout import Section
from .parts import Parts, take_apart
from .result import Rebuilt

Progress = Callable[[str, float], None]

#: What no kernel carries with it, whatever it was built with.
_NEVER = ("source lines", "local variables", "inlined functions", "macros")


class Options(NamedTuple):
    """How it is made: ``image`` with the image's bytes; ``old_crash`` for crash before 8.0.4."""

    image: bool = True
    old_crash: bool = False


def rebuild(
    found: Found, output: str, options: Options, progress: Progress | None = None
) -> Rebuilt:
    """Make the file ``output``, which appears when it is whole.

    Raises:
        RebuildError: the dump holds too little of its kernel, or no file can be put there.
        OSError: the system can't.
    """
    start, path = time.perf_counter(), Path(output)
    _check(found, path)
    made = prepare(found, options, progress)
    with beside(path) as fd:
        permit_as(fd, found.location.path)
        sink = FileSink(fd)
        write(made, sink, options, progress)
    dump, location = made.parts.kernel.dump, made.parts.kernel.location
    return Rebuilt(
        dump.path,
        output,
        location.release,
        location.build_id,
        made.contents.symbols.kept,
        0 if made.debug is None else made.debug.info.types,
        0 if made.debug is None else made.debug.info.globals,
        tuple(module.name for module in made.parts.modules),
        tuple(_missing(made, options)),
        sink.written,
        time.perf_counter() - start,
    )


class Made(NamedTuple):
    """All that a file is written from."""

    parts: Parts
    debug: Debug | None
    contents: Contents


def prepare(found: Found, options: Options, progress: Progress | None = None) -> Made:
    """Read what the kernel has of itself, and turn it into what tools take.

    Raises:
        RebuildError: the dump holds too little of its kernel.
    """
    told = progress or (lambda _stage, _fraction: None)
    told("Reading the kernel's symbols and types", 0.0)
    kernel = Kernel(found)
    parts = take_apart(kernel)
    told("Making debug information", 0.0)
    debug = _debug(parts, options)
    arch = kernel.arch
    machine = machine_of(arch.name, arch.word * 8)
    if machine is None:
        raise RebuildError(f"no ELF machine is known for {arch.name}")
    contents = Contents(
        Target(arch.byte_order, arch.word, machine),
        parts.sections,
        symbol_table(
            parts.symbols.table,
            parts.sections,
            parts.extent.moved,
            parts.symbols.rooms,
            byte_order=arch.byte_order,
            word=arch.word,
            known=Known(
                parts.sizes,
                {} if debug is None else debug.sizes,
                frozenset() if debug is None else debug.hidden,
            ),
        ),
        [Extra(".comment", [PRODUCER.encode() + b"\0"]), *_sections(debug)],
    )
    return Made(parts, debug, contents)


def write(made: Made, sink: Sink, options: Options, progress: Progress | None = None) -> None:
    """Write it.

    Raises:
        OSError: the system can't.
    """
    kernel, sections = made.parts.kernel, made.parts.sections
    whole = sum(section.size for section in sections if section.is_kept) or 1
    done = 0

    def read(vaddr: int, size: int) -> Data:
        nonlocal done
        done += size
        if progress:
            progress("Writing", min(done / whole, 1.0))
        return made.parts.code.read(vaddr, size) or kernel.copy(vaddr, size)

    banner = made.parts.symbols.vaddr("linux_banner")
    write_file(
        sink, made.contents, read, lambda section: _keeps(section, banner, image=options.image)
    )


def _keeps(section: Section, banner: int | None, *, image: bool) -> bool:
    """Whether its bytes are written; without ``image`` only what tools take from the file.

    That is the banner, by which crash sees whether it fits, the build ID and unwind tables.
    """
    if image or section.run is None or not section.is_kept:
        return section.is_kept
    has_banner = banner is not None and section.run <= banner < section.run + section.size
    return has_banner or section.kind == "note" or section.name.startswith(".orc")


def _debug(parts: Parts, options: Options) -> Debug | None:
    if parts.btf is None:
        return None
    try:
        return debug_of(parts, parts.btf, old_crash=options.old_crash)
    except TypesError as error:
        parts.missing.append(f"types: {error}")
        return None


def _sections(debug: Debug | None) -> Iterator[Extra]:
    if debug is None:
        return
    info = debug.info
    yield Extra(".debug_info", info.info)
    yield Extra(".debug_abbrev", info.abbrev)
    yield Extra(".debug_str", info.strings)


def _missing(made: Made, options: Options) -> Iterator[str]:
    yield from made.parts.missing
    if made.debug is not None:
        yield from _NEVER
    table = made.parts.symbols.table
    left_out = table.refused + made.contents.symbols.outside
    if left_out:
        yield f"{left_out} symbols that lie outside the image or have no proper names"
    if not options.image:
        yield "the image's bytes, as asked"


def _check(found: Found, path: Path) -> None:
    if found.image is None:
        raise RebuildError(found.location.reason or "no kernel was found")
    if path.is_dir():
        raise RebuildError(f"{path} is a directory")
    if path.exists() and not path.is_file():
        raise RebuildError(f"{path} is there already, and no regular file")
    dump = found.location.path
    if path.exists() and Path(dump).exists() and path.samefile(dump):
        raise RebuildError(f"{path} is the dump itself")
