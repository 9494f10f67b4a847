# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel's memory with a log in it, made up byte by byte, for damage that no guest makes."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

BASE = 0xFFFF_8000_0000_0000
_WORD = 8

#: As 6.1 says of itself in VMCOREINFO.
RING_INFO = """\
SYMBOL(prb)={prb:x}
OFFSET(printk_ringbuffer.desc_ring)=0
OFFSET(printk_ringbuffer.text_data_ring)=48
OFFSET(prb_desc_ring.count_bits)=0
OFFSET(prb_desc_ring.descs)=8
OFFSET(prb_desc_ring.infos)=16
OFFSET(prb_desc_ring.head_id)=24
OFFSET(prb_desc_ring.tail_id)=32
SIZE(prb_desc)=24
OFFSET(prb_desc.state_var)=0
OFFSET(prb_desc.text_blk_lpos)=8
OFFSET(prb_data_blk_lpos.begin)=0
OFFSET(prb_data_blk_lpos.next)=8
SIZE(printk_info)=88
OFFSET(printk_info.seq)=0
OFFSET(printk_info.ts_nsec)=8
OFFSET(printk_info.text_len)=16
OFFSET(printk_info.caller_id)=20
OFFSET(printk_info.dev_info)=24
OFFSET(dev_printk_info.subsystem)=0
LENGTH(printk_info_subsystem)=16
OFFSET(dev_printk_info.device)=16
LENGTH(printk_info_device)=48
OFFSET(prb_data_ring.size_bits)=0
OFFSET(prb_data_ring.data)=8
"""
#: As 4.19 does.
RECORDS_INFO = """\
SYMBOL(log_buf)={log_buf:x}
SYMBOL(log_buf_len)={log_buf_len:x}
SYMBOL(log_first_idx)={log_first_idx:x}
SYMBOL(log_next_idx)={log_next_idx:x}
SIZE(printk_log)=16
OFFSET(printk_log.ts_nsec)=0
OFFSET(printk_log.len)=8
OFFSET(printk_log.text_len)=10
OFFSET(printk_log.dict_len)=12
"""


class FakeKernel:
    """What :class:`crashext.kernel.log.fields.Fields` asks of a kernel."""

    def __init__(self, memory: bytearray, info: str, symbols: dict[str, int] | None = None) -> None:
        self.memory, self.vmcoreinfo = memory, info.encode()
        self.symbols = symbols or {}
        self.arch: Any = SimpleNamespace(word=_WORD, byte_order="little")
        self.start = None

    def vaddr(self, *names: str) -> int | None:
        return next((self.symbols[name] for name in names if name in self.symbols), None)

    def read(self, vaddr: int, size: int) -> bytes | None:
        at = vaddr - BASE
        return bytes(self.memory[at : at + size]) if 0 <= at <= len(self.memory) - size else None


class RingWriter:
    """``printk_ringbuffer`` as prb_reserve() and prb_final_commit() fill it.

    ``ring`` is at offset 0x100, ``prb`` at 0; descriptors, infos and text follow.
    """

    COUNT_BITS, TEXT_BITS = 4, 9
    DESCS, INFOS, TEXT = 0x200, 0x400, 0xA00

    def __init__(self) -> None:
        self.memory = bytearray(self.TEXT + (1 << self.TEXT_BITS))
        struct.pack_into("<Q", self.memory, 0, BASE + 0x100)
        first = (1 << 62) - (1 << self.COUNT_BITS) - 1
        self.head = self.tail = first + (1 << self.COUNT_BITS)
        self.lpos = self.next_seq = 0
        struct.pack_into("<IxxxxQQ", self.memory, 0x100, self.COUNT_BITS,
                         BASE + self.DESCS, BASE + self.INFOS)  # fmt: skip
        struct.pack_into("<IxxxxQ", self.memory, 0x130, self.TEXT_BITS, BASE + self.TEXT)
        self._heads()

    def add(self, text: bytes, state: int = 2, *, level: int = 6) -> int:
        """Append a message; returns its descriptor's ID."""
        self.head = (self.head + 1) % (1 << 62)
        size = 1 << self.TEXT_BITS
        need = -(-(8 + len(text)) // 8) * 8
        begin, data = self.lpos, self.lpos % size
        if data + need > size:
            self.lpos, data = (begin // size + 1) * size, 0
        self.lpos += need
        struct.pack_into("<Q", self.memory, self.TEXT + data, self.head)
        self.memory[self.TEXT + data + 8 : self.TEXT + data + 8 + len(text)] = text
        index = self.head % (1 << self.COUNT_BITS)
        struct.pack_into("<QQQ", self.memory, self.DESCS + 24 * index,
                         state << 62 | self.head, begin, self.lpos)  # fmt: skip
        struct.pack_into("<QQHBBI", self.memory, self.INFOS + 88 * index,
                         self.next_seq, self.next_seq * 1000, len(text), 0, level << 5, 1,
                         )  # fmt: skip
        self.next_seq += 1
        if (self.head - self.tail) % (1 << 62) >= 1 << self.COUNT_BITS:
            self.tail = (self.tail + 1) % (1 << 62)
        self._heads()
        return self.head

    def kernel(self) -> FakeKernel:
        return FakeKernel(self.memory, RING_INFO.format(prb=BASE))

    def _heads(self) -> None:
        struct.pack_into("<QQ", self.memory, 0x118, self.head, self.tail)
