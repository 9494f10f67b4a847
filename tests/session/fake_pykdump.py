# SPDX-License-Identifier: GPL-3.0-or-later
"""PyKdump for one program, on any Python from 3.6 on.

``fake_pykdump.py ANSWERS PROGRAM [ARGUMENT]...``: ANSWERS is JSON of what crash says to
command lines. After what the program prints, the last line is JSON of the command lines
that it ran and of the names that it left in ``__main__``, which all programs share.
"""

import json
import sys
import types
from pathlib import Path


class error(Exception):
    """``crash.error``."""


def main() -> None:
    answers: dict[str, str] = json.loads(sys.argv[1])
    asked: list[str] = []

    def exec_crash_command(line: str) -> str:
        """functions.c py_exec_crash_command(): no output counts as an error."""
        asked.append(line)
        if not answers.get(line):
            raise error("")
        return answers[line]

    crash = types.ModuleType("crash")
    crash.error = error  # type: ignore[attr-defined]
    crash.exec_crash_command = exec_crash_command  # type: ignore[attr-defined]
    sys.modules["crash"] = crash
    # In the form that people load the name of the start-up program stays there.
    names: dict[str, object] = {"__file__": "PyKdumpInit", "__doc__": None}
    before = dict(names)
    sys.argv = sys.argv[2:]
    exec(compile(Path(sys.argv[0]).read_text(), sys.argv[0], "exec"), names)
    del names["__builtins__"]  # exec() puts it there
    left = [name for name in names if names[name] != before.get(name, names)]
    print(json.dumps({"asked": asked, "left": left}))


if __name__ == "__main__":
    main()
