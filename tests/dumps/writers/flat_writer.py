# SPDX-License-Identifier: GPL-3.0-or-later
"""Write makedumpfile's flattened container."""

from __future__ import annotations

from collections.abc import Iterable

HEADER = b"makedumpfile\0\0\0\0" + (1).to_bytes(8, "big") * 2 + bytes(4096 - 32)
END = b"\xff" * 16


def records(image: bytes, step: int = 16384) -> list[tuple[int, bytes]]:
    """The image cut into records in order."""
    return [(at, image[at : at + step]) for at in range(0, len(image), step)]


def flatten(parts: Iterable[tuple[int, bytes]], end: bytes = END) -> bytes:
    """The container with the given (offset, data) records in the given order."""
    return (
        HEADER
        + b"".join(at.to_bytes(8, "big") + len(d).to_bytes(8, "big") + d for at, d in parts)
        + end
    )
