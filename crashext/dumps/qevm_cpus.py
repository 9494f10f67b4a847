# SPDX-License-Identifier: GPL-3.0-or-later
"""The vCPUs' state in a migration stream, from their device sections.

What is in a section only QEMU's own description tells (:mod:`.qevm_description`): a section
has no length. So they are gone through one after the other; where one isn't what is
described, what was found until then is all there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..errors import OverBudget
from .qevm_cursor import Cursor, Ended
from .qevm_description import Device, Layout, Misfit
from .source import Source

FULL, FOOTER = 4, 0x7E
"""The bytes that start a device section and what stands behind one; migration/savevm.c."""

_CPU = "cpu"
_LARGEST = 1 << 20  # bytes of a vCPU's section; 32 KB with 16 SVE vectors
_FIELD = 200  # bytes of memory that a field takes, its name included


class Sections:
    """The device sections of a stream, gone over in the order of their description."""

    def __init__(self, source: Source, cursor: Cursor, devices: Iterator[Device]) -> None:
        self._source = source
        self._cursor = cursor
        self._devices = devices
        self._work = source.work("going through the device sections")
        self.cpus: list[Mapping[str, bytes]] = []

    def take(self) -> None:
        """Go over one section, whose first byte was read.

        Raises:
            Misfit: it is another one than is described.
            Ended: the file ends inside.
        """
        cursor, start = self._cursor, self._cursor.offset
        number, name = cursor.number(4), cursor.text()
        instance, _version = cursor.number(4), cursor.number(4)
        device = next(self._devices, None)
        if device is None or (device.name, device.instance) != (name, instance):
            raise Misfit(f"section {name}/{instance} at {start:#x} is not the one described")
        self._work.spend(len(device.text) // 64)
        layout, body = device.layout(), cursor.offset
        size = layout.size()
        cursor.skip(size)
        if cursor.number(1) != FOOTER or cursor.number(4) != number:
            raise Misfit(f"section {name}/{instance} at {start:#x} is not of {size} bytes")
        if name == _CPU:
            self._keep(layout, body, size)

    def _keep(self, layout: Layout, body: int, size: int) -> None:
        """Note the state of a vCPU."""
        source = self._source
        if size > _LARGEST:
            raise Misfit(f"a vCPU with a state of {size} bytes")
        values = layout.values(source.exactly(body, size, "the state of a vCPU"))
        source.budget.hold(size + len(values) * _FIELD, "the state of the vCPUs", source.path)
        self.cpus.append(values)

    def take_rest(self) -> str:
        """Go over what is left behind RAM; returns why not all of it could be, or ""."""
        cursor = self._cursor
        try:
            while (kind := cursor.number(1)) in (FULL, FOOTER):
                if kind == FULL:
                    self.take()
                else:
                    cursor.number(4)  # that of the RAM section
        except (Misfit, OverBudget) as problem:
            return str(problem)
        except Ended:
            return "the file ends inside the device sections"
        return f"section type {kind:#x} at {cursor.offset - 1:#x}" if kind else ""
