# SPDX-License-Identifier: GPL-3.0-or-later
"""The types of a located kernel and of its modules, as BTF has them (kernel/bpf/btf.c)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..errors import TypesError
from ..symbols.btf import Btf
from .kernel import Kernel
from .symbols import KernelSymbols

_MOST_MODULES = 4096
#: Bytes of BTF: all of a kernel's, one module's, all modules'.
_MOST, _MOST_OF_MODULE, _MOST_OF_ALL = 64 << 20, 16 << 20, 64 << 20
_NAME = 56  # MODULE_NAME_LEN


class ModuleTypes(NamedTuple):
    """A loaded module's own BTF, split from the kernel's."""

    name: str
    btf: Btf


def find_types(kernel: Kernel, symbols: KernelSymbols) -> Btf | None:
    """The kernel's BTF; None where it was built without.

    Raises:
        TypesError: it is damaged, or not whole in the dump.
    """
    start, stop = symbols.vaddr("__start_BTF"), symbols.vaddr("__stop_BTF")
    if start is None or stop is None or start >= stop:
        return None
    if stop - start > _MOST:
        raise TypesError(f"{stop - start} bytes of it are more than any kernel has")
    data = kernel.read(start, stop - start)
    if data is None:
        raise TypesError("a part of it is not in the dump")
    return Btf(data)


def module_types(kernel: Kernel, symbols: KernelSymbols, base: Btf) -> Iterator[ModuleTypes]:
    """BTF of the loaded modules that have any, by the kernel's list ``btf_modules``.

    Damaged ones are left out.
    """
    held = 0
    for vaddr in _btfs(kernel, symbols, base):
        found = _read(kernel, base, vaddr)
        if found is None:
            continue
        name, data = found
        held += len(data)
        if held > _MOST_OF_ALL:
            return
        try:
            yield ModuleTypes(name, Btf(data, base))
        except TypesError:
            continue


def _btfs(kernel: Kernel, symbols: KernelSymbols, base: Btf) -> Iterator[int]:
    """The address of each ``struct btf`` in the list ``btf_modules`` of ``struct btf_module``."""
    head = symbols.vaddr("btf_modules")
    link, pointer = base.offset("btf_module", "list"), base.offset("btf_module", "btf")
    if head is None or link is None or pointer is None:
        return
    at = _pointer(kernel, head)
    for _ in range(_MOST_MODULES):
        if at is None or at == head:
            return
        vaddr = _pointer(kernel, at - link + pointer)
        if vaddr is not None:
            yield vaddr
        at = _pointer(kernel, at)


def _read(kernel: Kernel, base: Btf, vaddr: int) -> tuple[str, bytes] | None:
    offsets = [base.offset("btf", member) for member in ("data", "data_size", "name")]
    if None in offsets:
        return None
    data_at, size_at, name_at = (vaddr + (offset or 0) for offset in offsets)
    start, size = _pointer(kernel, data_at), kernel.read(size_at, 4)
    raw = kernel.read(name_at, _NAME)
    if start is None or size is None or raw is None:
        return None
    length = int.from_bytes(size, kernel.arch.byte_order)
    data = kernel.read(start, length) if 0 < length <= _MOST_OF_MODULE else None
    name = raw.partition(b"\0")[0]
    usable = name.isascii() and name.decode("ascii", "replace").isprintable()
    return (name.decode("ascii"), data) if data and usable else None


def _pointer(kernel: Kernel, vaddr: int) -> int | None:
    raw = kernel.read(vaddr, kernel.arch.word)
    return None if raw is None else int.from_bytes(raw, kernel.arch.byte_order)
