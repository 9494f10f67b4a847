# SPDX-License-Identifier: GPL-3.0-or-later
"""By what variables are known when something leads to their address: each a question to memory."""

from __future__ import annotations

from collections.abc import Callable

from .memory import Structures

#: Whether the variable at an address can be the one that is meant.
Sign = Callable[[Structures, int], bool]
_MOST_NAME = 64
_FEW = 16  # entries of a table that are looked at
_MOST_ENTRIES = 255  # CHRDEV_MAJOR_HASH_SIZE, BLKDEV_MAJOR_HASH_SIZE
_ROOM = 4096  # bytes that per-CPU variables without a type can take
_MOST_CLOCKS = 64
_LOCKS = (8, 16, 64)  # bytes of the counter before it, with debugging and without
_IDR = 4  # ROOT_IS_IDR in xa_flags (include/linux/radix-tree.h)


def anything(_structures: Structures, _vaddr: int) -> bool:
    """Nothing tells: several functions have to mean it, and nothing else."""
    return True


def below(most: int) -> Sign:
    """An ``int`` from 0 to below ``most``."""

    def test(structures: Structures, vaddr: int) -> bool:
        value = structures.integer(vaddr, 4)
        return value is not None and value < most

    return test


def is_list(structures: Structures, vaddr: int) -> bool:
    """A ``struct list_head`` whose neighbours point back to it."""
    word = structures.word
    following, before = structures.pointer(vaddr), structures.pointer(vaddr + word)
    if not following or not before:
        return False
    back = structures.pointer(following + word)
    return back == vaddr == structures.pointer(before)


def list_of(struct: str, link: str, name: str) -> Sign:
    """A list of structures, the first of which has a name, text or a pointer to it."""

    def test(structures: Structures, vaddr: int) -> bool:
        at = structures.offset(struct, link)
        first = structures.pointer(vaddr)
        if at is None or not first or first == vaddr or not is_list(structures, vaddr):
            return False
        return structures.name(first - at, struct, name).isprintable()

    return test


def named(struct: str, member: str, *names: str, pointer: bool = False) -> Sign:
    """A structure, or a pointer to one, whose name starts so; with any name without ``names``."""

    def test(structures: Structures, vaddr: int) -> bool:
        at = structures.pointer(vaddr) if pointer else vaddr
        name = structures.name(at, struct, member) if at else ""
        return name.startswith(names) if names else bool(name) and name.isprintable()

    return test


def cache(name: str) -> Sign:
    """A pointer to the ``struct kmem_cache`` of that name."""

    def test(structures: Structures, vaddr: int) -> bool:
        at = structures.pointer(vaddr)
        return bool(at) and structures.name(at, "kmem_cache", "name") == name

    return test


def text(*starts: str) -> Sign:
    """A pointer to text that starts so; to any that can be printed without ``starts``."""

    def test(structures: Structures, vaddr: int) -> bool:
        found = structures.text(structures.pointer(vaddr), _MOST_NAME)
        return found.startswith(starts) if starts else bool(found) and found.isprintable()

    return test


def starts_with(raw: bytes) -> Sign:
    """Bytes that are known."""
    return lambda structures, vaddr: structures.kernel.read(vaddr, len(raw)) == raw


def table_of(struct: str, number: str) -> Sign:
    """Pointers to structures each of which knows its place in the table (a hash of it)."""

    def test(structures: Structures, vaddr: int) -> bool:
        known = 0
        for index in range(_MOST_ENTRIES):
            at = structures.pointer(vaddr + index * structures.word)
            if at is None:
                return False
            major = structures.number(at, struct, number, 4) if at else index
            if major is None or major % _MOST_ENTRIES != index:
                return False
            known += bool(at)
        return bool(known)

    return test


def mount_of(kind: str) -> Sign:
    """A pointer to the ``struct vfsmount`` of a kind of file system."""

    def test(structures: Structures, vaddr: int) -> bool:
        block = structures.member(structures.pointer(vaddr), "vfsmount", "mnt_sb")
        of = structures.member(block, "super_block", "s_type")
        return bool(of) and structures.name(of, "file_system_type", "name") == kind

    return test


def ends_per_cpu(structures: Structures, vaddr: int) -> bool:
    """Right behind the last of the per-CPU variables that BTF has."""
    end = structures.last_per_cpu
    return end is not None and end <= vaddr < end + _ROOM


def is_idr(structures: Structures, vaddr: int) -> bool:
    """A ``struct idr``."""
    flags = structures.number(vaddr, "idr", "idr_rt.xa_flags", 4)
    return flags is not None and flags & 0xFF == _IDR


def flags(mask: int) -> Sign:
    """A root of a tree, whose flags come behind a lock of 32 bits."""

    def test(structures: Structures, vaddr: int) -> bool:
        value = structures.integer(vaddr + 4, 4)
        return value is not None and value & mask == mask

    return test


def first_is(function: str) -> Sign:
    """What begins with a pointer to that function."""

    def test(structures: Structures, vaddr: int) -> bool:
        wanted = structures.vaddr(function)
        return wanted is not None and structures.pointer(vaddr) == wanted

    return test


def member_is(struct: str, member: str, function: str) -> Sign:
    """A structure that has that function in a member."""

    def test(structures: Structures, vaddr: int) -> bool:
        wanted = structures.vaddr(function)
        return wanted is not None and structures.member(vaddr, struct, member) == wanted

    return test


def protocol(handler: str, name: str) -> Sign:
    """A variable of IPv6; since 6.9 they are members of ``net_hotdata``, and no symbols."""
    is_one = member_is("inet6_protocol", "handler", handler)

    def test(structures: Structures, vaddr: int) -> bool:
        return structures.offset("net_hotdata", name) is None and is_one(structures, vaddr)

    return test


def kset_of(name: str) -> Sign:
    """A pointer to the ``struct kset`` of that name."""

    def test(structures: Structures, vaddr: int) -> bool:
        kset, at = structures.pointer(vaddr), structures.offset("kset", "kobj")
        if not kset or at is None:
            return False
        return structures.name(kset + at, "kobject", "name") == name

    return test


def is_texts(structures: Structures, vaddr: int) -> bool:
    """Pointers to text that can be printed, or to nothing; one at the least."""
    found = [structures.pointer(vaddr + n * structures.word) for n in range(_FEW)]
    names = [structures.text(at, _MOST_NAME) for at in found if at]
    return None not in found and bool(names) and all(n and n.isprintable() for n in names)


def counts_of(table: str) -> Sign:
    """Numbers of 32 bits, none of them 0 but where a table of pointers has none."""

    def test(structures: Structures, vaddr: int) -> bool:
        start = structures.vaddr(table)
        if start is None:
            return False
        pairs = [
            (structures.integer(vaddr + 4 * n, 4), structures.pointer(start + n * structures.word))
            for n in range(_FEW)
        ]
        return all(None not in pair and bool(pair[0]) == bool(pair[1]) for pair in pairs)

    return test


def is_list_of_module_types(structures: Structures, vaddr: int) -> bool:
    """``btf_modules``, where any module has types."""
    at, first = structures.offset("btf_module", "list"), structures.pointer(vaddr)
    if at is None or not first or first == vaddr or not is_list(structures, vaddr):
        return False
    module = structures.member(first - at, "btf_module", "module")
    return bool(structures.name(module, "module", "name"))


def is_clock(structures: Structures, vaddr: int) -> bool:
    """``tk_core``: a sequence counter and a ``struct timekeeper``, whose first is its clock."""
    return _clock_of(structures, vaddr) is not None


def is_other_clock(structures: Structures, vaddr: int) -> bool:
    """A second ``struct timekeeper`` beside that of ``tk_core``, with the same clock."""
    core = structures.vaddr("tk_core")
    if core is None or structures.offset("tk_data", "timekeeper") is not None:
        return False
    clock = _clock_of(structures, core)
    inside = vaddr in (core + before for before in _LOCKS)
    mine = structures.member(vaddr, "timekeeper", "tkr_mono.clock")
    return clock is not None and clock == mine and not inside


def clocks(structures: Structures) -> dict[str, int]:
    """``clocksource_jiffies``, one of the clocks in the list that the kernel's own is in."""
    core, link = structures.vaddr("tk_core"), structures.offset("clocksource", "list")
    clock = None if core is None else _clock_of(structures, core)
    at = None if clock is None or link is None else clock + link
    for _ in range(_MOST_CLOCKS):
        at = structures.pointer(at)
        if not at or link is None:
            break
        if structures.name(at - link, "clocksource", "name") == "jiffies":
            return {"clocksource_jiffies": at - link}
    return {}


def _clock_of(structures: Structures, vaddr: int) -> int | None:
    at = structures.offset("timekeeper", "tkr_mono.clock")
    for before in _LOCKS:
        clock = None if at is None else structures.pointer(vaddr + before + at)
        if clock and structures.name(clock, "clocksource", "name"):
            return clock
    return None
