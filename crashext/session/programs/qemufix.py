# SPDX-License-Identifier: GPL-3.0-or-later
#
# The PyKdump program `qemufix`.  Link this file into a folder of PYKDUMPPATH, then in crash:
#
#     crash> epython qemufix --register
#     crash> qemufix detect
#
# It has crash load qemufix.so, whose command this is; `epython qemufix detect` loads it
# and runs one command line.  A copy away from its package needs QEMUFIX_PATH, the folder
# that holds the crashext package, unless qemufix.so is among crash's own extensions.
# Any Python 3.6 or later reads it, with no module but PyKdump's own.


def _qemufix() -> None:
    import os
    import sys

    import crash  # type: ignore[import-not-found]

    here = os.path.dirname(os.path.realpath(sys.argv[0]))
    home = os.environ.get("QEMUFIX_PATH") or os.path.join(here, *[os.pardir] * 3)
    plugin = os.path.join(os.path.abspath(home), "crashext", "qemufix.so")

    def run(*words: str) -> str:
        """What crash says to a command line; PyKdump raises it where that is nothing, or FATAL."""
        line = " ".join(f'"{word}"' if " " in word else word for word in words)
        try:
            return str(crash.exec_crash_command(line))
        except crash.error as said:
            return "".join(map(str, said.args))

    def answer() -> str:
        if not any("qemufix" in line.split()[1:] for line in run("extend").splitlines()):
            found = os.path.exists(plugin)
            said = run("extend", plugin if found else "qemufix.so")
            if "object loaded" not in said:
                return said if found else f"qemufix: no {plugin}: run make, or set QEMUFIX_PATH\n"
        return "" if sys.argv[1:] == ["--register"] else run("qemufix", *sys.argv[1:])

    try:
        sys.stdout.flush()
        with open(sys.stdout.fileno(), "w", encoding="utf-8", closefd=False) as out:
            out.write(answer())
    except BrokenPipeError:
        pass  # the reader of a pipe has gone


try:
    _qemufix()
finally:
    del _qemufix
