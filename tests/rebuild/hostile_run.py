# SPDX-License-Identifier: GPL-3.0-or-later
"""A vmlinux made from altered memory, and real tools on it, bounded in time and memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from crashext import open_dump
from crashext.errors import CrashExtError
from crashext.kernel.kernel import Kernel
from crashext.kernel.symbols import find_symbols
from crashext.locate import finding
from crashext.rebuild.course import Options, rebuild
from lab.altered import PAGE, Altered

SECONDS, MOST_MEMORY = 60, 3 << 30
_CRASH = (
    "sys", "struct list_head", "struct -o task_struct", "ps", "bt", "p init_task", "p jiffies",
    "whatis schedule", "gdb ptype/o struct mm_struct", "kmem -i", "mod", "log | tail -2",
    "p runqueues", "union bpf_attr", "quit",
)  # fmt: skip
_GDB = (
    "ptype struct list_head", "ptype/o struct task_struct", "print sizeof(struct mm_struct)",
    "info address schedule", "ptype schedule", "whatis init_task", "info types ^list", "ptype u32",
    "info functions ^schedule$", "print init_task", "ptype union bpf_attr",
)  # fmt: skip
_DRGN = """
import sys, logging, drgn
logging.disable()
prog = drgn.Program()
try:
    prog.load_debug_info([sys.argv[1]])
except Exception as error:
    sys.exit(f"refused: {error}")
def walk(kind, depth):
    if depth and kind.kind in (drgn.TypeKind.STRUCT, drgn.TypeKind.UNION):
        for member in kind.members or ():
            try:
                walk(member.type, depth - 1)
            except Exception:
                pass
for name in ("struct list_head", "struct task_struct", "struct mm_struct", "u32", "union bpf_attr",
             "struct page", "enum zone_type", "pid_t"):
    try:
        kind = prog.type(name)
        walk(kind, 4)
        str(kind)
        drgn.sizeof(kind)
    except Exception:
        pass
for name in ("init_task", "jiffies", "runqueues"):
    try:
        str(prog[name].type_)
    except Exception:
        pass
"""

#: What an adversary changes, given the memory, a symbol's address, and how it is read and written.
Change = Callable[["Memory"], None]


class Memory:
    """The kernel's memory of a dump, at virtual addresses, with changes of ours."""

    def __init__(self, altered: Altered, kernel: Kernel) -> None:
        symbols = find_symbols(kernel)
        assert symbols is not None
        self._altered, self._kernel, self.vaddr = altered, kernel, symbols.vaddr

    def read(self, start: str, stop: str) -> bytes:
        """What lies between two symbols."""
        data = self._kernel.read(self._at(start), self._at(stop) - self._at(start))
        assert data is not None
        return data

    def write(self, start: str, data: bytes) -> None:
        """Overwrite from a symbol on; pages that stay as they are are left alone."""
        vaddr = self._at(start)
        for offset in range(-(vaddr % PAGE), len(data), PAGE):
            piece = data[max(offset, 0) : offset + PAGE]
            at = vaddr + max(offset, 0)
            if self._kernel.read(at, len(piece)) != piece:
                self._altered.write(self._kernel.image_paddr(at), piece)

    def _at(self, name: str) -> int:
        """Of kallsyms' own tables kallsyms of some kernels says nothing."""
        vaddr = self.vaddr(name) or self._kernel.vaddr(name)
        assert vaddr is not None, name
        return vaddr


def made(dump: Path, out: Path, change: Change, vmlinux: Path | None = None) -> str | None:
    """Make a vmlinux of changed memory; why none was made, or None where ``out`` is one.

    ``out`` may be one that has no types, if those are what was found damaged. ``vmlinux`` is for
    a change that has to know more symbols than kallsyms has.
    """
    with open_dump(str(dump)) as real:
        altered = Altered(real)
        with finding(altered, vmlinux=None if vmlinux is None else str(vmlinux)) as found:
            change(Memory(altered, Kernel(found)))
        with finding(altered) as found:
            try:
                done = rebuild(found, str(out), Options(old_crash=True))
            except CrashExtError as error:
                assert "\n" not in str(error)
                return str(error)
    return None if done.types else "; ".join(done.missing)


def fallen(dump: Path, vmlinux: Path) -> list[str]:
    """The tools that a vmlinux makes end by a signal, hang, or take too much memory."""
    tools: dict[str, tuple[Sequence[str], str]] = {
        "crash": (["crash", "-s", "--no_crashrc", "--no_scroll", str(vmlinux), str(dump)],
                  "\n".join(_CRASH)),
        "gdb": (["gdb", "-nx", "-batch", *(w for c in _GDB for w in ("-ex", c)), str(vmlinux)], ""),
        "drgn": ([sys.executable, "-c", _DRGN, str(vmlinux)], ""),
    }  # fmt: skip
    found = []
    for name, (argv, given) in tools.items():
        limited = ["timeout", "-k5", str(SECONDS), "prlimit", f"--as={MOST_MEMORY}", *argv]
        done = subprocess.run(
            limited, input=given.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            check=False, env={"TERM": "dumb", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        )  # fmt: skip
        if done.returncode < 0 or done.returncode >= 124:
            found.append(
                f"{name}: {done.returncode}: {done.stdout[-400:].decode(errors='replace')}"
            )
    return found
