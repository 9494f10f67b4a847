# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tools.generated``: write them; ``--check``: say which are not current."""

from __future__ import annotations

import sys
from pathlib import Path

from . import bash, fish, man, reference, zsh
from .tree import commands

ROOT = Path(__file__).parents[2]
_PAGES = ROOT / "docs" / "man"


def generated() -> dict[Path, str]:
    """The text of each file."""
    tree = commands()
    files = {_PAGES / f"{command.name}.1": man.page(command) for command in tree if command.words}
    files[_PAGES / "qemufix.1"] = man.overview((_PAGES / "qemufix.1.in").read_text("utf-8"), tree)
    files[ROOT / "docs" / "commands.md"] = reference.page(tree)
    folder = ROOT / "completion"
    files[folder / "bash" / "qemufix"] = bash.script(tree)
    files[folder / "zsh" / "_qemufix"] = zsh.script(tree)
    files[folder / "fish" / "qemufix.fish"] = fish.script(tree)
    return files


def outdated() -> list[str]:
    """The files that are missing, differ, or are of no command any longer."""
    wanted = generated()
    differ = [p for p, text in wanted.items() if not p.exists() or p.read_text("utf-8") != text]
    return [
        str(p.relative_to(ROOT)) for p in (*differ, *sorted(set(_PAGES.glob("*.1")) - set(wanted)))
    ]


def main() -> int:
    """Write the files, or check them; the exit status."""
    if sys.argv[1:] == ["--check"]:
        print("".join(f"{name} is not current: make generated\n" for name in outdated()), end="")
        return 1 if outdated() else 0
    for path in set(_PAGES.glob("*.1")) - set(generated()):
        path.unlink()
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
