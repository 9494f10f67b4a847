# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of docs/architecture.md and CONTRIBUTING.md that a program can check."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: From the bottom up; each may import from those before it.
LAYERS = ("dumps", "arch", "symbols", "detect", "locate", "session", "cli")
SUFFIXES = {".py", ".c", ".h", ".sh", ".mk"}
MAX_LINES, MAX_FUNCTION = 400, 50
#: session/plugin.py is what crash calls: it enters at the top.
ENTRANCES = {("session/plugin.py", "cli")}
MODULES = sorted((ROOT / "crashext").rglob("*.py"))


def sources() -> list[Path]:
    """Files that hold code, built and downloaded ones left out."""
    folders = ("crashext", "bridge", "lab", "tests", "tools", "bench")
    found = [p for f in folders for p in sorted((ROOT / f).rglob("*")) if p.suffix in SUFFIXES]
    return [*found, ROOT / "setup.py", ROOT / "Makefile"]


def imported_layers(path: Path) -> Iterator[str]:
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            full = (*base, *(node.module or "").split("."))
            if full[:1] == ("crashext",) and len(full) > 1 and full[1] in LAYERS:
                yield full[1]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_downwards(path: Path) -> None:
    inside = path.relative_to(ROOT / "crashext")
    if inside.parts[0] not in LAYERS:
        return
    own = LAYERS.index(inside.parts[0])
    above = {n for n in imported_layers(path) if LAYERS.index(n) > own}
    assert {(str(inside), name) for name in above} <= ENTRANCES


def test_every_source_names_its_licence() -> None:
    lacking = [p for p in sources() if "SPDX-License-Identifier: GPL-3.0-or-later" not in
               p.read_text()[:200]]  # fmt: skip
    assert lacking == []


def test_modules_are_short() -> None:
    long = {str(p): n for p in sources() if (n := p.read_text().count("\n")) > MAX_LINES}
    assert long == {}


def test_functions_fit_on_a_screen() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{node.name}": length
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION
    }
    assert long == {}
