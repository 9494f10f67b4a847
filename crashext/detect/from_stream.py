# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures that are no dump: a migration stream is QEMU's own format, others have theirs."""

from __future__ import annotations

from ..dumps.base import Dump
from .result import Evidence


def evidence(dump: Dump) -> list[Evidence]:
    """The format itself, and the device sections that only QEMU has (migration/savevm.c)."""
    if dump.format == "avml":
        return [Evidence("avml_headers", f"{dump.header.ranges} ranges", "avml", "decisive")]
    if dump.format == "lime":
        value = f"{dump.header.ranges} ranges; AVML may write such headers too"
        return [Evidence("lime_headers", value, "lime", "strong")]
    if dump.format != "qevm":
        return []
    header = dump.header
    found = [Evidence("migration_stream", f"machine type {header.machine}", "qemu", "decisive")]
    if header.devices:
        shown = ", ".join(header.devices[:6])
        value = f"{len(header.devices)} device sections: {shown}, ..."
        found.append(Evidence("device_sections", value, "qemu", "strong"))
    return found
