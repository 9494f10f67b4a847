# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMCOREINFO that belongs into a dump: the kernel's own text, verified and completed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from ..kernel.kernel import Kernel
from ..kernel.uname import find_uname
from ..vmcoreinfo import Vmcoreinfo, parse
from .change import Change
from .headers import VMCOREINFO

_MASK64 = (1 << 64) - 1
#: What a text that qemufix had to write itself says of itself; no tool knows the key.
MARK = "QEMUFIX"
#: Kernels before 5.9 write none, and no tool misses it.
_BUILD_ID = "BUILD-ID"
_ALWAYS_PROVEN = ("OSRELEASE", _BUILD_ID, "PAGESIZE", "KERNELOFFSET")
_COMPOSED = "composed from memory, the kernel had written no VMCOREINFO"
#: Symbols that a composed text names where they are known: tools ask for these.
_SYMBOLS = ("init_uts_ns", "_stext", "_etext", "_end", "linux_banner")

Origin = Literal["note", "memory", "completed", "composed"]


class Text(NamedTuple):
    """A verified text, where it comes from, and what of it is not the kernel's own."""

    text: bytes
    origin: Origin
    changes: tuple[Change, ...] = ()


def verified_text(kernel: Kernel) -> Text:
    """The text for the kernel: that of the note if it is right, else of memory, else composed.

    A line that contradicts what was found is replaced, one that tools need is added.
    """
    needed = _needed(kernel)
    proven = _proven(kernel)
    note = kernel.dump.vmcoreinfo
    if note is not None and not _corrections(note, needed, proven):
        return Text(note, "note")
    own = kernel.vmcoreinfo
    if own is None:
        return Text(_composed(kernel, needed), "composed")
    corrections = _corrections(own, needed, proven)
    if not corrections:
        return Text(own, "memory")
    changes = tuple(_change(own, key, value) for key, value in corrections.items())
    return Text(_corrected(own, corrections), "completed", changes)


def _needed(kernel: Kernel) -> dict[str, str]:
    """Every line whose value is known from elsewhere than a VMCOREINFO."""
    location = kernel.location
    lines: dict[str, str] = {}
    if location.release is not None:
        lines["OSRELEASE"] = location.release
    if location.build_id is not None:
        lines[_BUILD_ID] = location.build_id
    if location.page_size is not None:
        lines["PAGESIZE"] = f"{location.page_size}"
    for name in ("init_uts_ns", "_stext"):
        vaddr = kernel.vaddr(name)
        if vaddr is not None:
            lines[f"SYMBOL({name})"] = f"{vaddr:x}"
    return lines | kernel.needed_vmcoreinfo


def _proven(kernel: Kernel) -> frozenset[str]:
    """Keys of which the kernel's own word is not the last one."""
    symbols = (f"SYMBOL({name})" for name in ("swapper_pg_dir", "init_uts_ns", "_stext"))
    return frozenset((*_ALWAYS_PROVEN, *symbols, *kernel.arch.said_placements))


def _corrections(text: bytes, needed: Mapping[str, str], proven: frozenset[str]) -> dict[str, str]:
    """The lines of ``needed`` that the text lacks, or has otherwise though they are proven."""
    info = parse(text)
    return {
        key: value
        for key, value in needed.items()
        if (key not in info.values and key != _BUILD_ID)
        or (key in info.values and key in proven and not _says(info, key, value))
    }


def _says(info: Vmcoreinfo, key: str, value: str) -> bool:
    """Whether the text has that line, however its number is written."""
    said = info.values.get(key)
    if said is None or said.lower() == value.lower():
        return said is not None
    number = _number(info, key)
    return number is not None and number == _number(parse(f"{key}={value}".encode()), key)


def _number(info: Vmcoreinfo, key: str) -> int | None:
    if key in ("OSRELEASE", _BUILD_ID):
        return None
    kind, _, name = key.rstrip(")").partition("(")
    found = {"SYMBOL": info.symbol, "NUMBER": info.number}.get(kind, info.integer)(name or key)
    return None if found is None else found & _MASK64


def _corrected(text: bytes, corrections: Mapping[str, str]) -> bytes:
    """The text with lines replaced where they were, and new ones at its end."""
    rest, lines = dict(corrections), []
    for line in text.split(b"\n"):
        key = line.partition(b"=")[0].decode("ascii", "replace")
        if key in corrections:
            if key in rest:
                lines.append(f"{key}={rest.pop(key)}".encode())
        elif line:
            lines.append(line)
    lines += [f"{key}={value}".encode() for key, value in rest.items()]
    return b"\n".join(lines) + b"\n"


def _change(text: bytes, key: str, value: str) -> Change:
    said = parse(text).values.get(key)
    if said is None:
        return Change(
            f"{VMCOREINFO} {key}", None, value, "tools need it, the kernel's text lacks it"
        )
    if key == _BUILD_ID:
        return Change(f"{VMCOREINFO} {key}", said, value, "the image's own notes have another")
    return Change(f"{VMCOREINFO} {key}", said, value, "the kernel found lies otherwise")


def _composed(kernel: Kernel, needed: Mapping[str, str]) -> bytes:
    """A text of all that is known, in the kernel's order (kernel/vmcore_info.c)."""
    lines = {k: v for k, v in needed.items() if "(" not in k and k != "KERNELOFFSET"}
    found = find_uname(kernel)
    if found is not None:
        lines["SYMBOL(init_uts_ns)"] = f"{found.vaddr:x}"
        lines["OFFSET(uts_namespace.name)"] = f"{found.offset}"
    for name in _SYMBOLS:
        vaddr = kernel.vaddr(name)
        if vaddr is not None:
            lines[f"SYMBOL({name})"] = f"{vaddr:x}"
    lines |= needed
    lines[MARK] = _COMPOSED
    return "".join(f"{key}={value}\n" for key, value in lines.items()).encode()
