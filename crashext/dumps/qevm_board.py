# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the machine types of QEMU have their main memory, which a migration stream leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .intervals import PieceMap
from .qevm_stream import Block

_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Board:
    """Where a machine type has the RAM of its main block; QEMU hw/*/."""

    arch: str
    block: str
    base: int = 0
    #: Memory of ``below`` bytes or more is split at ``hole`` and goes on at 4 GiB.
    below: int = 0
    hole: int = 0

    def layout(self, length: int) -> PieceMap:
        """Physical addresses to offsets in the main block of ``length`` bytes."""
        if not self.below or length < self.below:
            return PieceMap.of([self.base], [length], [0])
        starts, sizes = [self.base, 4 * _GIB], [self.hole, length - self.hole]
        return PieceMap.of(starts, sizes, [0, self.hole])


# By the start of the machine type. pc_init1 and pc_q35_init with gigabyte alignment
# (machine types 2.0 and later); microvm_memory_init.
_BOARDS = (
    ("pc-q35", Board("x86_64", "pc.ram", 0, 0xB0000000, 0x80000000)),
    ("q35", Board("x86_64", "pc.ram", 0, 0xB0000000, 0x80000000)),
    ("pc", Board("x86_64", "pc.ram", 0, 0xE0000000, 0xC0000000)),
    ("xenfv", Board("x86_64", "pc.ram", 0, 0xF0000000, 0xF0000000)),
    ("microvm", Board("x86_64", "microvm.ram", 0, 0xE0000000, 0xC0000000)),
    ("s390-ccw", Board("s390x", "s390.ram")),
    ("pseries", Board("ppc64", "ppc_spapr.ram")),
)
# The machine type "virt" is several; the name of its RAM block tells which.
_VIRT = (
    Board("aarch64", "mach-virt.ram", _GIB),
    Board("riscv64", "riscv_virt_board.ram", 2 * _GIB),
    Board("loongarch64", "loongarch.ram", 0, 0x10000000, 0x10000000),
)


def board_of(machine: str, blocks: Mapping[str, Block]) -> tuple[Board, Block]:
    """The board's memory layout, and its main RAM block: by name, else the largest."""
    largest = max(blocks.values(), key=lambda block: block.length)
    boards = [board for prefix, board in _BOARDS if machine.startswith(prefix)]
    boards += [board for board in _VIRT if board.block in blocks]
    board = boards[0] if boards else Board("unknown", "")
    return board, blocks.get(board.block, largest)
