# SPDX-License-Identifier: GPL-3.0-or-later
"""What the debug information itself says: types, variables, functions, symbols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from drgn import Program, Type, sizeof

from .common import Question, at, linux, type_of

_STRUCTS = (
    *("task_struct", "mm_struct", "page", "inode", "dentry", "super_block", "sk_buff", "rq"),
    *("net_device", "module", "kmem_cache", "zone", "pglist_data", "irq_desc", "pid", "cgroup"),
    *("signal_struct", "cred", "vm_area_struct", "file", "bio", "request_queue", "gendisk", "sock"),
    *("tcp_sock", "workqueue_struct", "perf_event", "bpf_prog", "tracepoint", "kernfs_node"),
)

_GLOBALS = (
    *("init_task", "init_mm", "init_net", "init_uts_ns", "init_pid_ns", "jiffies", "modules"),
    *("super_blocks", "slab_caches", "nr_cpu_ids", "runqueues", "__per_cpu_offset", "system_wq"),
    *("cgrp_dfl_root", "node_states", "vm_zone_stat", "irq_desc_tree", "prb", "tk_core"),
    *("iomem_resource", "saved_command_line", "console_drivers", "inet_protos", "swap_info"),
)

_FUNCTIONS = ("schedule", "do_exit", "vfs_read", "panic", "tcp_sendmsg", "printk_sprint")


def _layouts(prog: Program) -> Any:
    """Size and every member's offset, bit offset and type, of structures inside as well."""
    return {
        name: [sizeof(prog.type(f"struct {name}")), list(_members(prog, name))]
        for name in _STRUCTS
        if _is_type(prog, name)
    }


def _is_type(prog: Program, name: str) -> bool:
    try:
        prog.type(f"struct {name}")
    except LookupError:
        return False
    return True


def _members(prog: Program, name: str) -> Iterator[list[Any]]:
    for member in prog.type(f"struct {name}").members or ():
        size = _size(member.type)
        names = member.name, member.type.type_name()
        yield [*names, member.bit_offset, member.bit_field_size, size]


def _size(kind: Type) -> int | None:
    """Of an array without a length None, whether it is `[]` or `[0]`."""
    return sizeof(kind) or None if kind.is_complete() else None


def _globals(prog: Program) -> Any:
    return {name: _variable(prog, name) for name in _GLOBALS if _is_symbol(prog, name)}


def _variable(prog: Program, name: str) -> list[Any] | None:
    try:
        return [at(prog[name]), type_of(prog[name])]
    except LookupError:
        return None


def _is_symbol(prog: Program, name: str) -> bool:
    try:
        prog.symbol(name)
    except LookupError:
        return False
    return True


def _functions(prog: Program) -> Any:
    """Of one that debug information has no body of, drgn knows no address."""
    found = {name: prog.function(name) for name in _FUNCTIONS}
    return {name: [each.address_, type_of(each)] for name, each in found.items()}


def _symbols(prog: Program) -> Any:
    """Of addresses all over the kernel's text: the symbol that they are in."""
    start, end = (prog.symbol(name).address for name in ("_stext", "_etext"))
    return [[at, _symbol_at(prog, at)] for at in range(start, end, max((end - start) // 5000, 1))]


def _symbol_at(prog: Program, address: int) -> list[Any] | None:
    try:
        symbol = prog.symbol(address)
    except LookupError:
        return None
    return [symbol.name, symbol.address]


def _whole_task(prog: Program) -> Any:
    """init_task printed with all that is in it, addresses with their symbols."""
    return prog["init_task"].format_(dereference=False)


def _objects(prog: Program) -> Any:
    task = prog["init_pid_ns"].child_reaper
    parts = (task[0], task.mm[0], task.cred[0], task.signal[0], prog["init_uts_ns"],
             linux.cpu_rq(prog, 0)[0])  # fmt: skip
    return [part.format_(dereference=False) for part in parts]


#: By name, in the order in which they are asked.
QUESTIONS: Mapping[str, Question] = {
    "members of structures": _layouts,
    "types and addresses of variables": _globals,
    "functions": _functions,
    "symbols by address": _symbols,
    "init_task, formatted": _whole_task,
    "objects, formatted": _objects,
}
