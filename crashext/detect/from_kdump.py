# SPDX-License-Identifier: GPL-3.0-or-later
"""Traces of the writer in the headers of a kdump-compressed file.

What QEMU puts there is in its dump/dump.c, ``create_header64`` and
``create_header32``; what makedumpfile does in its ``write_kdump_header``.
"""

from __future__ import annotations

from ..arch import QEMU_MACHINES
from ..dumps.base import Dump
from ..dumps.kdump import KdumpDump
from ..dumps.split import SplitDump
from ..notes import repair_facts
from .from_notes import prstatus_notes
from .result import Evidence, Strength
from .verdict import NOBODY

_QEMU_STATUS = {1: "zlib", 2: "lzo", 4: "snappy"}
_STATUS_ZSTD, _STATUS_INCOMPLETE, _STATUS_NO_VMEMMAP = 0x20, 0x08, 0x10
#: makedumpfile -d takes 0 to 31.
_MAX_DUMP_LEVEL = 31

Kdump = KdumpDump | SplitDump


def utsname(dump: Kdump) -> Evidence | None:
    """QEMU knows nothing of the guest's kernel and fills in its own machine alone."""
    uts = dump.header.utsname
    rest = [uts.sysname, uts.nodename, uts.release, uts.version, uts.domainname]
    if not any(rest):
        points_to = "qemu" if uts.machine in QEMU_MACHINES else NOBODY
        return Evidence("utsname", f"only machine: {uts.machine!r}", points_to, "strong")
    value = " ".join(filter(None, (uts.sysname, uts.release, uts.machine)))
    if _mended(dump):
        return Evidence("utsname", f"{value}, put in by a repair", NOBODY, "weak")
    if uts.sysname == "Linux" and uts.release:
        return Evidence("utsname", value, "makedumpfile", "decisive")
    return Evidence("utsname", value, NOBODY, "weak")


def _mended(dump: Kdump) -> bool:
    """Whether its headers are as a repair left them; makedumpfile keeps notes when it filters."""
    level = repair_facts(dump.notes).get("dump_level")
    return level == str(dump.header.dump_level)


def timestamp(dump: Kdump) -> Evidence:
    """The time of the dump; QEMU leaves it 0, and so does a filter of QEMU's dump."""
    seconds = dump.header.timestamp[0]
    if seconds == 0:
        return Evidence("timestamp", "0", "qemu", "medium")
    if _mended(dump):
        return Evidence("timestamp", f"{seconds}, put in by a repair", NOBODY, "weak")
    return Evidence("timestamp", f"{seconds} s after 1970", "makedumpfile", "strong")


def dump_level(dump: Kdump) -> Evidence:
    """QEMU always writes 1; makedumpfile what -d said."""
    level = dump.header.dump_level
    if level == 1:
        return Evidence("dump_level", "1", "qemu", "weak")
    strength: Strength = "strong" if 0 <= level <= _MAX_DUMP_LEVEL else "weak"
    return Evidence("dump_level", str(level), "makedumpfile", strength)


def status(dump: Kdump) -> Evidence | None:
    """Flags that QEMU has no code for."""
    flags = dump.header.status
    if flags in _QEMU_STATUS:
        return Evidence("status", f"{flags:#x}, {_QEMU_STATUS[flags]}", NOBODY, "weak")
    if flags & (_STATUS_ZSTD | _STATUS_NO_VMEMMAP | _STATUS_INCOMPLETE):
        return Evidence("status", f"{flags:#x}", "makedumpfile", "strong")
    return None


def header_version(dump: Kdump) -> Evidence | None:
    """QEMU writes version 6, always."""
    version = dump.header.header_version
    if version == 6:
        return None
    return Evidence("header_version", str(version), "makedumpfile", "strong")


def cpu_count(dump: Kdump) -> Evidence | None:
    """QEMU counts the vCPUs there are, and writes a note for each."""
    count, notes = dump.header.nr_cpus, len(prstatus_notes(dump))
    if not notes or count == notes:
        return None
    return Evidence("nr_cpus", f"{count}, with {notes} CPU notes", "makedumpfile", "weak")


def bitmaps(dump: Kdump) -> Evidence:
    """QEMU writes one bitmap twice; with -d above 1 makedumpfile leaves pages out."""
    if dump.same_bitmaps:
        return Evidence("bitmaps", "the two are the same", "qemu", "weak")
    return Evidence("bitmaps", "pages were left out", "makedumpfile", "medium")


def container(dump: Kdump) -> Evidence | None:
    """QEMU's kdump-zlib, -lzo and -snappy are always flattened, makedumpfile's with -F."""
    if not dump.flattened:
        return None
    return Evidence("container", "flattened", "qemu", "weak")


def split(dump: Kdump) -> Evidence | None:
    """QEMU never splits a dump over several files."""
    if not dump.header.split:
        return None
    return Evidence("split", "one part of a split set", "makedumpfile", "strong")


_CHECKS = (
    utsname,
    timestamp,
    dump_level,
    status,
    header_version,
    cpu_count,
    bitmaps,
    container,
    split,
)


def evidence(dump: Dump) -> list[Evidence]:
    """What the headers of a kdump-compressed file tell; nothing for another format."""
    if not isinstance(dump, Kdump):
        return []
    return [found for check in _CHECKS if (found := check(dump)) is not None]
