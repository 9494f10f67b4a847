# SPDX-License-Identifier: GPL-3.0-or-later
"""ELF notes as bytes."""

from __future__ import annotations


def note(name: bytes, kind: int, desc: bytes, order: str = "little") -> bytes:
    """One note: name and desc padded to 4."""
    from typing import Literal, cast

    end = cast(Literal["little", "big"], order)
    name += b"\0"
    words = b"".join(n.to_bytes(4, end) for n in (len(name), len(desc), kind))
    return words + name + b"\0" * (-len(name) % 4) + desc + b"\0" * (-len(desc) % 4)


def qemu_notes(vcpus: int = 1, prstatus_size: int = 336, order: str = "little") -> bytes:
    """The notes of an x86 guest's CPUs in QEMU's order."""
    status = b"".join(
        note(b"CORE", 1, bytes([cpu + 1]) * prstatus_size, order) for cpu in range(vcpus)
    )
    return status + b"".join(
        note(b"QEMU", 0, bytes([cpu + 1]) * 440, order) for cpu in range(vcpus)
    )
