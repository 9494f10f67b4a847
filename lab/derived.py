# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps made from the guests' dumps: what other tools, or a careless hand, leave of them."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .errors import LabError, run

_EHDR_SIZE = 64


@dataclass(frozen=True, slots=True)
class Derived:
    """One dump made from another.

    Attributes:
        name: as of a scenario; the file is ``name.format``.
        parent: the scenario that it comes from, ``source`` the suffix of the file taken.
        origin: who wrote the result: "qemu", "kdump" or "makedumpfile".
        make: gets the source and the result's path.
    """

    name: str
    shows: str
    parent: str
    source: str
    format: str
    origin: str
    make: Callable[[Path, Path], None]
    group: str = "states"


def _link(source: Path, out: Path) -> None:
    out.hardlink_to(source)


def _filter(source: Path, out: Path) -> None:
    """What a kdump service does with /proc/vmcore."""
    run(["makedumpfile", "-c", "-d", "31", source, out], timeout=120)


def _filter_qemu(source: Path, out: Path) -> None:
    """What a user does to shrink a QEMU dump.

    makedumpfile looks for the program headers right behind the ELF header, where QEMU
    since 7.2 has section headers: they are moved there first.
    """
    with TemporaryDirectory(prefix="lab-", dir=out.parent) as directory:
        moved = Path(directory) / "elf"
        run(["cp", "--sparse=always", source, moved])
        with moved.open("r+b") as file:
            header = bytearray(file.read(_EHDR_SIZE))
            phoff, (phentsize, phnum) = header[32:40], struct.unpack_from("<2H", header, 54)
            file.seek(int.from_bytes(phoff, "little"))
            segments = file.read(phentsize * phnum)
            struct.pack_into("<2Q", header, 32, _EHDR_SIZE, 0)  # e_phoff, e_shoff
            struct.pack_into("<H", header, 52, _EHDR_SIZE)  # e_ehsize, which QEMU has wrong
            struct.pack_into("<3H", header, 58, 0, 0, 0)  # no section headers
            file.seek(0)
            file.write(header + segments)
        _filter(moved, out)


def _zero_notes(source: Path, out: Path) -> None:
    """Keep the notes, lose what they say of the CPUs."""
    from crashext import open_dump

    with open_dump(str(source)) as dump:
        notes = dump.notes
    run(["cp", "--sparse=always", source, out])
    with out.open("r+b") as file:
        for note in notes:
            name = len(note.name) + 1
            file.seek(note.offset + 12 + name + -name % 4)
            file.write(bytes(len(note.desc)))


DERIVED: tuple[Derived, ...] = (
    Derived(
        "kdump-vmcore",
        "/proc/vmcore as the capture kernel gives it",
        parent="kdump-capture",
        source="vmcore",
        format="elf",
        origin="kdump",
        make=_link,
    ),
    Derived(
        "kdump-filtered",
        "the same filtered by makedumpfile -c -d 31",
        parent="kdump-capture",
        source="vmcore",
        format="kdump",
        origin="makedumpfile",
        make=_filter,
    ),
    Derived(
        "qemu-filtered",
        "QEMU's own dump filtered by makedumpfile",
        parent="ovmf-vmcoreinfo",
        source="elf",
        format="kdump",
        origin="makedumpfile",
        make=_filter_qemu,
    ),
    Derived(
        "notes-zeroed",
        "a QEMU dump whose CPU state was wiped",
        parent="ovmf-kaslr",
        source="kdump",
        format="kdump",
        origin="qemu",
        make=_zero_notes,
    ),
    Derived(
        "notes-zeroed-elf",
        "the same as ELF",
        parent="ovmf-kaslr",
        source="elf",
        format="elf",
        origin="qemu",
        make=_zero_notes,
    ),
    Derived(
        "arm64-notes-zeroed",
        "a QEMU dump of aarch64 whose CPU state was wiped",
        parent="arm64-uefi",
        source="kdump",
        format="kdump",
        origin="qemu",
        make=_zero_notes,
        group="arm64",
    ),
    Derived(
        "arm64-notes-zeroed-elf",
        "the same as ELF",
        parent="arm64-uefi",
        source="elf",
        format="elf",
        origin="qemu",
        make=_zero_notes,
        group="arm64",
    ),
)


def make(derived: Derived, say: Callable[[str], None], *, directory: Path) -> bool:
    """Make one unless it is there and newer than its parent; return whether it did.

    Raises:
        LabError: the parent's dump has not been made, or the tool fails.
    """
    source = directory / f"{derived.parent}.{derived.source}"
    told = directory / f"{derived.parent}.json"
    out, truth = (directory / f"{derived.name}.{x}" for x in (derived.format, "json"))
    if not source.exists() or not told.exists():
        raise LabError(f"{derived.name}: needs {source.name} (lab dumps {derived.parent})")
    if truth.exists() and truth.stat().st_mtime >= told.stat().st_mtime:
        say(f"{derived.name}: in the cache")
        return False
    out.unlink(missing_ok=True)
    derived.make(source, out)
    out.chmod(0o644)
    facts = _facts(derived, json.loads(told.read_text()))
    truth.write_text(json.dumps(facts, indent=1) + "\n")
    say(f"{derived.name}: made from {source.name} ({derived.shows})")
    return True


def _facts(derived: Derived, parent: dict[str, Any]) -> dict[str, Any]:
    """The parent's truth; without the capture kernel where its memory is not in the file."""
    kernels = parent["kernels"]
    if derived.source == "vmcore":
        kernels = [kernel for kernel in kernels if kernel["role"] != "capture"]
    return {
        **parent,
        "scenario": derived.name,
        "shows": derived.shows,
        "group": derived.group,
        "origin": derived.origin,
        "dumps": [f"{derived.name}.{derived.format}"],
        "kernels": kernels,
    }
