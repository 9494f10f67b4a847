# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file is, by its first bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..dumps import elf_types, flattened, kdump_types

_E_TYPE = slice(16, 18)


def start(path: str) -> bytes:
    """The first bytes of a file; none where it can't be read."""
    try:
        with Path(path).open("rb") as file:
            return file.read(24)
    except OSError:
        return b""


def is_vmlinux(path: str) -> bool:
    """Whether it is what ``--vmlinux`` takes: an ELF file that is no core, or a folder."""
    head = start(path)
    is_core = elf_types.ET_CORE in (
        int.from_bytes(head[_E_TYPE], "little"),
        int.from_bytes(head[_E_TYPE], "big"),
    )
    return Path(path).is_dir() or (head.startswith(elf_types.MAGIC) and not is_core)


def told_apart(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The vmlinux and the dumps among files, in their order.

    Of several the first that isn't there is taken for the vmlinux, which used to come first.
    """
    vmlinux: list[str] = []
    dumps: list[str] = []
    for number, word in enumerate(words):
        missing = number == 0 and len(words) > 1 and not Path(word).exists()
        (vmlinux if missing or is_vmlinux(word) else dumps).append(word)
    return vmlinux, dumps


def is_elf(path: str) -> bool:
    """Whether a file is an ELF file, as it lies there."""
    return start(path).startswith(elf_types.MAGIC)


def is_plain_dump(path: str) -> bool:
    """Whether a file is an ELF core or a kdump, as it lies there."""
    return start(path).startswith((elf_types.MAGIC, kdump_types.SIGNATURE))


def is_flattened(path: str) -> bool:
    """Whether a file is flattened."""
    return start(path).startswith(flattened.SIGNATURE)
