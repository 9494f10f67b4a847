# SPDX-License-Identifier: GPL-3.0-or-later
"""What gdb is asked on an ELF core."""

from __future__ import annotations

#: Each once. A backtrace further than the first frame needs unwind tables that gdb knows.
GDB_COMMANDS = (
    "info threads",
    "thread apply all backtrace 1",
    "thread apply all info symbol $pc",
    "print init_task.comm",
    "print &init_task",
    "print init_uts_ns.name",
    "print jiffies",
    "print sizeof(struct task_struct)",
    "print (enum zone_type)1",
    "print init_pid_ns.child_reaper->comm",
    "print *init_pid_ns.child_reaper->cred",
    "print init_pid_ns.child_reaper->mm->mmap_base",
    "print modules",
    "print slab_caches.next",
    "print schedule",
    "print &runqueues",
    "print __per_cpu_offset[0]",
    "x/s linux_banner",
    "x/4xg &init_task",
    "x/8i schedule",
    "ptype struct list_head",
    "ptype/o struct task_struct",
    "ptype struct mm_struct",
    "ptype struct inode",
    "ptype struct net_device",
    "ptype struct rq",
    "ptype union bpf_attr",
    "ptype enum migratetype",
    "ptype schedule",
    "ptype gfp_t",
    "whatis init_task",
    "whatis kmem_cache_free",
    "info address schedule",
    "info symbol schedule",
    "info line schedule",
    "info scope schedule",
)
