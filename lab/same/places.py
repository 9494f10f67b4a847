# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of one guest's own objects, for commands that want one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from ..errors import LabError

_INIT = "init_pid_ns.child_reaper"
_ADDRESS = re.compile(r"0x([0-9a-f]+)(?: <\S+>)?\s*$")
_FIRST = re.compile(r"^([0-9a-f]{4,16})\b", re.MULTILINE)

#: By name: a command that crash answers with the address, and where in the answer it is.
_ASKED: Mapping[str, tuple[str, re.Pattern[str]]] = {
    **{
        name: (f"p {expression}", _ADDRESS)
        for name, expression in {
            "task": _INIT,
            "kthread": "kthreadd_task",
            "mm": f"{_INIT}->mm",
            "cred": f"{_INIT}->cred",
            "stack": "kthreadd_task->stack",
            "waitq": f"&{_INIT}->signal->wait_chldexit",
            "dentry": f"{_INIT}->fs->root.dentry",
            "inode": f"{_INIT}->fs->root.dentry->d_inode",
            "superblock": f"{_INIT}->fs->root.mnt->mnt_sb",
            "xarray": f"&{_INIT}->mm->exe_file->f_mapping->i_pages",
            "idr": "&init_pid_ns.idr.idr_rt",
            "maple": f"&{_INIT}->mm->mm_mt",
            "user": f"(void *){_INIT}->mm->start_stack",
            "cache": "names_cachep",
        }.items()
    },
    "vma": ("kmem -S vm_area_struct", re.compile(r"^ *\[([0-9a-f]+)\]", re.MULTILINE)),
    "vmalloc": ("kmem -v", re.compile(r"^[0-9a-f]+ +[0-9a-f]+ +([0-9a-f]+) - ", re.MULTILINE)),
    "text": ("sym schedule", _FIRST),
    "data": ("sym init_task", _FIRST),
    "banner": ("sym linux_banner", _FIRST),
    "percpu": ("sym runqueues", _FIRST),
    "module": ("mod", _FIRST),
    "module_text": ("mod", re.compile(r"^[0-9a-f]{8,16} +\S+ +([0-9a-f]+)", re.MULTILINE)),
    "page": ("kmem -S vm_area_struct", re.compile(r"^  ([0-9a-f]{16}) ", re.MULTILINE)),
    "physical": ("kmem -n", re.compile(r"START_MAPNR\n[0-9a-f]+ +([0-9a-f]+) ")),
}

Ask = Callable[[Sequence[str]], Mapping[str, str]]


def places(ask: Ask) -> dict[str, str]:
    """What each name of a command's template stands for; ``ask`` runs commands in a session.

    Raises:
        LabError: crash did not say one of them.
    """
    said = ask(list(dict.fromkeys(command for command, _ in _ASKED.values())))
    found = {"pid": "1"}
    for name, (command, pattern) in _ASKED.items():
        match = pattern.search(said[command])
        if match is None:
            raise LabError(f"crash did not say {name}: {command}: {said[command].strip()[:200]}")
        found[name] = match[1]
    found["text_end"] = f"{int(found['text'], 16) + 64:x}"
    return found


def filled(templates: Sequence[str], values: Mapping[str, str]) -> dict[str, str]:
    """The command of each template."""
    return {
        template: re.sub(r"\{(\w+)\}", lambda match: values[match[1]], template)
        for template in templates
    }
