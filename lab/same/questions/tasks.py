# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks, their stacks, files and memory maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drgn import Object, Program

from .common import Question, at, linux, text


def _tasks(prog: Program) -> Any:
    return [
        [
            task.pid.value_(),
            int(task),
            text(task.comm.string_()),
            linux.task_state_to_char(task),
            linux.task_cpu(task),
            linux.task_rss(task).total,
            linux.task_vsize(task),
        ]
        for task in linux.for_each_task(prog)
    ]


def _frames(prog: Program, task: Object) -> list[list[Any]]:
    """Without inlined frames: which those are is known to debug information alone."""
    return [
        [_of(frame, "pc"), frame.name, frame.interrupted]
        for frame in prog.stack_trace(task)
        if not frame.is_inline
    ]


def _of(frame: Any, register: str) -> int | None:
    try:
        return int(getattr(frame, register))
    except LookupError:
        return None


def _stack_pointers(prog: Program) -> Any:
    task = prog["init_pid_ns"].child_reaper
    return [_of(frame, "sp") for frame in prog.stack_trace(task) if not frame.is_inline]


def _stacks(prog: Program) -> Any:
    found = {}
    for task in linux.for_each_task(prog):
        try:
            found[str(task.pid.value_())] = _frames(prog, task)
        except ValueError as error:
            found[str(task.pid.value_())] = [[str(error)]]
    return found


def _cpu_stacks(prog: Program) -> Any:
    found = []
    for cpu in linux.for_each_online_cpu(prog):
        try:
            found.append(_frames(prog, linux.cpu_curr(prog, cpu)))
        except ValueError as error:
            found.append([[str(error)]])
    return found


def _files(prog: Program) -> Any:
    return [
        [
            task.pid.value_(),
            file.fd if hasattr(file, "fd") else file[0],
            text(linux.d_path(file[1].f_path)),
        ]
        for task in linux.for_each_task(prog)
        for file in linux.for_each_file(task)
    ]


def _maps(prog: Program) -> Any:
    return [
        [
            task.pid.value_(),
            vma.vm_start.value_(),
            vma.vm_end.value_(),
            vma.vm_flags.value_(),
            linux.vma_name(vma) and text(linux.vma_name(vma)),
        ]
        for task in linux.for_each_task(prog)
        if task.mm
        for vma in linux.for_each_vma(task.mm)
    ]


def _per_cpu(prog: Program) -> Any:
    return [
        [
            at(linux.per_cpu(prog["runqueues"], cpu)),
            int(linux.cpu_curr(prog, cpu)),
            linux.cpu_rq(prog, cpu).nr_running.value_(),
            int(linux.idle_task(prog, cpu)),
            at(linux.per_cpu(prog["kernel_cpustat"], cpu)),
        ]
        for cpu in linux.for_each_possible_cpu(prog)
    ]


def _cgroups(prog: Program) -> Any:
    root = prog["cgrp_dfl_root"].cgrp.self.address_of_()
    return [
        [int(css), text(linux.cgroup_path(css.cgroup))]
        for css in linux.css_for_each_descendant_pre(root)
    ]


def _timers(prog: Program) -> Any:
    return [
        [cpu, name, int(timer), timer.expires.value_()]
        for cpu in linux.for_each_online_cpu(prog)
        for name, base in zip(
            linux.timer_base_names(prog), linux.per_cpu(prog["timer_bases"], cpu), strict=False
        )
        for timer in linux.timer_base_for_each(base)
    ]


def _log(prog: Program) -> Any:
    return [[r.timestamp, text(r.text)] for r in linux.get_printk_records(prog)]


def _runqueues(prog: Program) -> Any:
    return [
        [
            [int(t) for t in linux.rq_for_each_fair_task(linux.cpu_rq(prog, cpu))],
            [int(t) for t in linux.rq_for_each_rt_task(linux.cpu_rq(prog, cpu))],
        ]
        for cpu in linux.for_each_online_cpu(prog)
    ]


def _pids(prog: Program) -> Any:
    return [[int(pid), pid.numbers[0].nr.value_()] for pid in linux.for_each_pid(prog)]


def _signals(prog: Program) -> Any:
    task = prog["init_pid_ns"].child_reaper
    return [
        linux.signal_numbers(prog),
        {name: list(limits) for name, limits in linux.task_rlimits(task).items()},
        linux.sigset_to_hex(task.blocked),
    ]


def _kthreads(prog: Program) -> Any:
    return [
        [task.pid.value_(), int(linux.to_kthread(task)) if linux.task_is_kthread(task) else None]
        for task in linux.for_each_task(prog)
    ]


def _wakers(prog: Program) -> Any:
    head = prog["init_pid_ns"].child_reaper.signal.wait_chldexit.address_of_()
    return [int(task) for task in linux.waitqueue_for_each_task(head)]


def _bpf(prog: Program) -> Any:
    return [
        [int(p) for p in each(prog)]
        for each in (linux.bpf_prog_for_each, linux.bpf_map_for_each, linux.bpf_btf_for_each)
    ]


#: By name, in the order in which they are asked.
QUESTIONS: Mapping[str, Question] = {
    "for_each_task": _tasks,
    "stack traces": _stacks,
    "stack traces of CPUs": _cpu_stacks,
    "stack pointers of frames": _stack_pointers,
    "for_each_file, d_path": _files,
    "for_each_vma": _maps,
    "for_each_pid": _pids,
    "signals and limits": _signals,
    "to_kthread": _kthreads,
    "waitqueue_for_each_task": _wakers,
    "rq_for_each_fair_task": _runqueues,
    "mm_cmdline": lambda p: [text(a) for a in linux.cmdline(p["init_pid_ns"].child_reaper) or ()],
    "for_each_user": lambda p: [int(user) for user in linux.for_each_user(p)],
    "cpumasks": lambda p: [
        linux.cpumask_to_cpulist(mask(p))
        for mask in (linux.cpu_online_mask, linux.cpu_possible_mask, linux.cpu_present_mask)
    ],
    "loadavg, uptime": lambda p: [list(linux.loadavg(p)), linux.uptime_pretty(p)],
    "ktime_get_seconds": lambda p: [linux.ktime_get_seconds(p), linux.ktime_get_real_seconds(p)],
    "panic_message, tainted": lambda p: [linux.panic_message(p), linux.tainted(p)],
    "per_cpu": _per_cpu,
    "get_printk_records": _log,
    "kaslr_offset": lambda p: [linux.kaslr_offset(p), linux.pgtable_l5_enabled(p)],
    "css_for_each_descendant_pre": _cgroups,
    "bpf": _bpf,
    "timer_base_for_each": _timers,
}
