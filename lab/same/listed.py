# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not the same on a vmlinux made from a dump: each command with the kinds of difference.

docs/vmlinux-table.md is made from this list; what a comparison finds beyond it is an error.
"""

from __future__ import annotations

from collections.abc import Mapping

_CRASH = {
    "lines": """
        sys -c; sys -c {pid}; bt -l {kthread}; kmem {text}
        sym schedule; sym {text}; sym -p schedule; sym -n schedule; sym -p {text}; sym _text _end
        dis -l schedule; dis -rl {text}; dis -s schedule
        gdb info line schedule; gdb list schedule; gdb info functions ^schedule_timeout$
    """,
    "locals": "gdb info scope schedule",
    "unwinding": "help -k",
    "pid": "struct pid",
    "empty arrays": """
        struct -o sk_buff; struct net_device; struct sock; struct tcp_sock
        gdb ptype struct sk_buff; gdb ptype/o struct task_struct
    """,
    "symbols": "sym -l; sym -q kmem_cache_alloc; sym -q rcu_; p kallsyms_names",
    "sections": "sym -l; sym -q rcu_",
    "untyped": "p tk_core",
    "aliases": "p sys_call_table",
    "lengths": "p linux_banner",
    "ends": "p -d init_mm",
    "debug information": """
        help -s; gdb info source; gdb info types ^list_head$; gdb info variables ^jiffies
    """,
}

_DRGN = {
    "labels": "stack traces; stack traces of CPUs",
    "empty arrays": "init_task, formatted; objects, formatted; members of structures",
    "aliases": "init_task, formatted; objects, formatted",
    "ends": "objects, formatted",
    "parts": "functions",
    "sizes": "symbols by address",
    "untyped": """
        loadavg, uptime; ktime_get_seconds; for_each_user; types and addresses of variables
    """,
    "entries": "functions; for_each_vma",
    "frame pointers": "stack pointers of frames; stack traces of CPUs",
}

_GDB = {
    "lines": "info threads; thread apply all backtrace 1; info line schedule",
    "inlined": "info threads; thread apply all backtrace 1",
    "unwinding": "thread apply all backtrace 1",
    "locals": "info scope schedule",
    "empty arrays": "ptype/o struct task_struct",
    "offsets": "ptype/o struct task_struct",
}


def _listed(by_kind: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for kind, text in by_kind.items():
        for command in filter(None, (c.strip() for c in text.replace("\n", ";").split(";"))):
            found[command] = (*found.get(command, ()), kind)
    return found


#: By the command's template, question, or command.
IN_CRASH: Mapping[str, tuple[str, ...]] = _listed(_CRASH)
IN_DRGN: Mapping[str, tuple[str, ...]] = _listed(_DRGN)
IN_GDB: Mapping[str, tuple[str, ...]] = _listed(_GDB)
