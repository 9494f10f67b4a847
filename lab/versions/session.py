# SPDX-License-Identifier: GPL-3.0-or-later
"""One crash on one dump: started right, and put right by the plugin."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from crashext.session.apply import LIMIT_VARIABLE

from ..crash import last_words

#: What a session is worth: symbols, stacks, tasks, the kernel's log, memory, modules.
COMMANDS = ("sym linux_banner", "bt -a", "ps", "log", "kmem -i", "mod", "p init_uts_ns", "runq")
#: Seconds for a session; a start takes 10 on an idle machine.
LIMIT = 300

Way = Literal["in process", "restart", "not opened", "failed"]


@dataclass(frozen=True, slots=True)
class Guest:
    """A dump, the vmlinux of its kernel, and what its guest said of itself."""

    dump: Path
    vmlinux: Path
    truth: Mapping[str, Any] = field(compare=False)

    @classmethod
    def of(cls, dump: Path) -> Guest:
        """The guest of a dump of the lab's."""
        truth = json.loads(dump.with_suffix(".json").read_text())
        return cls(dump.resolve(), (dump.parent / truth["vmlinux"]).resolve(), truth)

    @property
    def right(self) -> list[str]:
        """crash's options for a session that starts right."""
        place = f"phys_base={self.truth['phys_base']}"
        return [f"--kaslr={self.truth['kaslr_offset']}", "--machdep", place]


@dataclass(frozen=True, slots=True)
class Session:
    """What a session said on its terminal, what each command printed, whether it was cut short."""

    said: str
    printed: Mapping[str, str]
    late: bool = False

    def lacks(self, guest: Guest) -> list[str]:
        """The commands that did not print what the guest has: banner, release, first process."""
        release = re.escape(guest.truth["release"])
        wanted = {
            "sym linux_banner": guest.truth["symbols"]["linux_banner"].removeprefix("0x"),
            "log": f"Linux version {release} ",
            "ps": r"(?m)^\W*1 +0 ",
            "p init_uts_ns": f'release = "{release}',
        }
        return [c for c in COMMANDS if not re.search(wanted.get(c, "."), self.printed.get(c, ""))]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the plugin in one session.

    ``why`` says more where it did not work, or what the session started right lacks, too.
    """

    way: Way
    why: str = ""


def started_right(program: str, guest: Guest) -> Session:
    """A session that was told where the guest's kernel is."""
    return _run([program, *guest.right], guest, [])


def put_right(program: str, guest: Guest, plugin: Path) -> Session:
    """A session that knows nothing, to which the plugin is applied."""
    return _run([program, "--minimal"], guest, [f"extend {plugin}", "qemufix physbase --apply"])


def opened(right: Session) -> Outcome | None:
    """None if crash comes up on a dump when it is told where the kernel is, and in time."""
    if right.late:
        return Outcome("failed", f"a session started right takes more than {LIMIT} s")
    if len(right.printed) == len(COMMANDS):
        return None
    return Outcome("not opened", last_words(right.said))


def judged(guest: Guest, right: Session, applied: Session) -> Outcome:
    """How the plugin put the session right, if it can't be told from the one started right."""
    lacks = right.lacks(guest)
    other = [c for c in COMMANDS if applied.printed.get(c) != right.printed[c]]
    if other:
        return Outcome("failed", f"other {', '.join(other)}; {_plugins_words(applied.said)}")
    restarted = re.search(r"^Starting crash again with", applied.said, re.M)
    in_process = re.search(r"^Re-initialising the session with", applied.said, re.M)
    if bool(restarted) is bool(in_process):
        return Outcome("failed", "it does not say what it did")
    why = f"nor does a session started right show all of {', '.join(lacks)}" if lacks else ""
    return Outcome("restart" if restarted else "in process", why)


def _plugins_words(said: str) -> str:
    """What the plugin said went wrong, else crash's last words."""
    own = [line for line in said.splitlines() if line.startswith("qemufix: ")]
    return " ".join(own) or last_words(said)


def _run(argv: Sequence[str], guest: Guest, before: Sequence[str]) -> Session:
    with TemporaryDirectory(prefix="versions-") as folder:
        files = {command: Path(folder) / str(n) for n, command in enumerate(COMMANDS)}
        lines = [*before, *(f"{c} > {file}" for c, file in files.items()), "quit", ""]
        command = ["timeout", "-k5", str(LIMIT), *argv, "-s", "--no_crashrc", "--no_scroll"]
        done = subprocess.run(
            [*command, guest.vmlinux, guest.dump],
            input="\n".join(lines), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", check=False, cwd=folder,
            env={"TERM": "dumb", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent",
                 LIMIT_VARIABLE: str(LIMIT)},
        )  # fmt: skip
        printed = {c: f.read_text(errors="replace") for c, f in files.items() if f.exists()}
    return Session(done.stdout, printed, late=done.returncode in (124, 137))
