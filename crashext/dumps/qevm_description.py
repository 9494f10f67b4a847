# SPDX-License-Identifier: GPL-3.0-or-later
"""QEMU's own description of the device sections in a migration stream: JSON behind its end.

Sources: QEMU migration/savevm.c (``QEMU_VM_VMDESCRIPTION``, since 2.3), migration/vmstate.c
(``vmsd_desc_field_start`` and its like). A device has fields, each with its size, an array of
equal elements ``array_len`` of them, and subsections, each of which starts with a header.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from .source import Source

_DEVICE = re.compile(rb'\{"name": ?"([^"\\]{1,255})", ?"instance_id": ?(\d{1,10})[,}]')
_START = re.compile(rb"\x06(.{4})(?=\{\")", re.DOTALL)
_LONGEST = 1 << 23  # bytes of the whole description
_LONGEST_DEVICE = 1 << 20  # of one device in it; a vCPU has some 30 KB
_MOST_DEVICES = 1 << 15  # eight times the vCPUs that a guest can have
_MOST_FIELDS = 1 << 14
_DEEPEST = 16
_SUBSECTION = 5


class Misfit(Exception):
    """The description isn't one of this stream; the message says where."""


class Device(NamedTuple):
    """A device section: its name and instance, and the JSON that tells what is in it."""

    name: str
    instance: int
    text: bytes

    def layout(self) -> Layout:
        """What is in the section.

        Raises:
            Misfit: the text can't be read.
        """
        if len(self.text) > _LONGEST_DEVICE:
            raise Misfit(f"a description of {len(self.text)} bytes of {self.name}")
        try:
            layout, _ = json.JSONDecoder().raw_decode(self.text.decode("ascii"))
        except (ValueError, RecursionError):
            raise Misfit(f"the description of {self.name} is no JSON") from None
        return Layout(layout)


class Layout:
    """The fields of a section, one behind the other."""

    def __init__(self, described: dict[str, Any]) -> None:
        self._described = described
        self._left = _MOST_FIELDS

    def size(self) -> int:
        """Bytes of the section between its header and its footer."""
        return self._size(self._described, 0)

    def values(self, data: bytes) -> dict[str, bytes]:
        """The bytes of each field by its name: ``env.regs``, ``env.segs[1].selector``.

        Raises:
            Misfit: ``data`` is something else.
        """
        found: dict[str, bytes] = {}
        end = self._fields(self._described, data, 0, "", found)
        if end != len(data):
            raise Misfit(f"{end} of {len(data)} bytes are described")
        return found

    def _size(self, described: Any, depth: int) -> int:
        size = sum(_number(f, "size") * _count(f) for f in _list(described, "fields"))
        for subsection in _list(described, "subsections"):
            self._spend(depth)
            size += len(_header(subsection)) + self._size(subsection, depth + 1)
        return size

    def _fields(
        self, described: Any, data: bytes, at: int, prefix: str, found: dict[str, bytes]
    ) -> int:
        """Note the fields that start at ``at``; returns where the next thing starts."""
        depth = prefix.count(".")
        for field in _list(described, "fields"):
            self._spend(depth)
            size, count = _number(field, "size"), _count(field)
            name = prefix + _text(field, "name")
            if "index" in field:
                name += f"[{_number(field, 'index')}]"
            inner = field.get("struct")
            if inner is None:
                found[name] = data[at : at + size * count]
                at += size * count
                continue
            for number in range(count):
                self._spend(depth)
                each = f"{name}[{number}]." if "array_len" in field else f"{name}."
                end = self._fields(inner, data, at, each, found)
                if end != at + size:
                    raise Misfit(f"{name} of {size} bytes has {end - at}")
                at = end
        for subsection in _list(described, "subsections"):
            self._spend(depth)
            head = _header(subsection)
            if not data.startswith(head, at):
                raise Misfit(f"no subsection {_text(subsection, 'vmsd_name')}")
            at = self._fields(subsection, data, at + len(head), prefix, found)
        return at

    def _spend(self, depth: int) -> None:
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            raise Misfit("a section with so many fields")


class Description:
    """The devices in the order of their sections."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._found = list(islice(_DEVICE.finditer(text), _MOST_DEVICES))

    @property
    def names(self) -> tuple[str, ...]:
        """Each as ``name/instance``."""
        return tuple(f"{_name(found)}/{int(found[2])}" for found in self._found)

    def devices(self) -> Iterator[Device]:
        """One after the other."""
        ends = [found.start() for found in self._found[1:]] + [len(self._text)]
        for found, end in zip(self._found, ends, strict=False):
            yield Device(_name(found), int(found[2]), self._text[found.start() : end])


def description_of(source: Source) -> Description:
    """What the stream in ``source`` says of its devices; of none where it has no description.

    At the very end: the type byte 6, the length in 32 bits, the text.
    """
    tail = source.pread(max(source.size - _LONGEST, 0), _LONGEST)
    for match in _START.finditer(tail):
        if match.end() + int.from_bytes(match[1], "big") == len(tail):
            return Description(tail[match.end() :])
    return Description(b"")


def _name(found: re.Match[bytes]) -> str:
    return found[1].decode("ascii", "backslashreplace")


def _list(described: Any, key: str) -> list[Any]:
    value = described.get(key, []) if isinstance(described, dict) else None
    if not isinstance(value, list):
        raise Misfit(f"{key!r} is no list")
    return value


def _number(described: Any, key: str, default: int | None = None) -> int:
    value = described.get(key, default) if isinstance(described, dict) else None
    if not isinstance(value, int) or not 0 <= value < 1 << 32:
        raise Misfit(f"{key!r} of a field is {str(value)[:40]}")
    return value


def _count(field: Any) -> int:
    return _number(field, "array_len", 1)


def _text(described: Any, key: str) -> str:
    value = described.get(key) if isinstance(described, dict) else None
    if not isinstance(value, str) or len(value) > 255:
        raise Misfit(f"{key!r} is no name")
    return value


def _header(subsection: Any) -> bytes:
    """What a subsection starts with in the stream; migration/vmstate.c, vmstate_subsection_save."""
    name = _text(subsection, "vmsd_name").encode("ascii", "replace")
    return (
        bytes([_SUBSECTION, len(name)]) + name + _number(subsection, "version").to_bytes(4, "big")
    )
