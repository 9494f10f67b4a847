# SPDX-License-Identifier: GPL-3.0-or-later
"""Many commands in one crash session, and what each printed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import LabError

_MARK = "=== lab"
#: A session that comes up asks its first command after 10 s, emulated after a minute.
_SECONDS = 900
_MOST_SESSIONS = 5


@dataclass
class Answers:
    """What each command printed.

    Attributes:
        out: by command; what a session that ended in it had printed until then.
        ended: how crash ended in a command that was not to end it, by command.
    """

    out: dict[str, str] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Crash:
    """One crash on one dump: ``program`` are the words that start it, without arguments.

    ``options`` come before the vmlinux. Both files are shown to crash under names of ours, so
    that it prints the same names whatever they are called.
    """

    program: Sequence[str]
    vmlinux: Path
    dump: Path
    options: Sequence[str] = ()
    seconds: float = _SECONDS

    def ask(self, commands: Iterable[str]) -> Answers:
        """Run the commands; after one that ends the session, the others in a new one.

        Raises:
            LabError: crash does not come up.
        """
        answers, left = Answers(), list(commands)
        for _ in range(_MOST_SESSIONS):
            status, parts = self._session(left)
            if not parts:
                raise LabError(f"crash does not come up on {self.vmlinux.name}: {status}")
            finished = parts.pop("", None) is not None
            answers.out |= {left[int(number)]: text for number, text in parts.items()}
            if finished and status == "status 0":
                return answers
            last = int(max(parts, key=int))
            answers.ended[left[last]] = status
            left = left[last + 1 :]
            if not left:
                return answers
        raise LabError(f"crash ends again and again on {self.vmlinux.name}: {answers.ended}")

    def _session(self, commands: Sequence[str]) -> tuple[str, dict[str, str]]:
        """How one session ended, and by number what each command printed that was reached."""
        lines = [word for n, c in enumerate(commands) for word in (f"!echo '{_MARK} {n}'", c)]
        with TemporaryDirectory(prefix="same-") as folder:
            for name, file in (("vmlinux", self.vmlinux), ("dump", self.dump)):
                (Path(folder) / name).symlink_to(file.resolve())
            # Without address randomisation crash's own heap and code are where they were.
            argv = ["timeout", "-k5", f"{self.seconds}", "setarch", "-R", *self.program, "-s",
                    "--no_crashrc", "--no_scroll", *self.options, "vmlinux", "dump"]  # fmt: skip
            done = subprocess.run(
                argv, input="\n".join([*lines, f"!echo '{_MARK} '", "quit", ""]).encode(),
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder, check=False,
                env={"TERM": "dumb", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
            )  # fmt: skip
        text = done.stdout.decode(errors="replace")
        # Not every output ends in an end of line.
        _, *pieces = re.split(rf"{_MARK} (\d*)\n", text)
        return _ending(done.returncode), dict(zip(pieces[::2], pieces[1::2], strict=True))


def _ending(status: int) -> str:
    if status in (124, 137):
        return "hangs"
    signal = status - 128 if status > 128 else -status
    return f"signal {signal}" if status > 128 or status < 0 else f"status {status}"
