# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of docs/architecture.md and CONTRIBUTING.md that a program can check."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: From the bottom up; each may import from those before it.
LAYERS = (
    *("dumps", "arch", "symbols", "detect", "locate", "kernel", "session", "repair", "rebuild"),
    *("launch", "report", "triage", "cli"),
)
#: Inside locate/, likewise: what a folder or module may import of the others.
LOCATE = ("memory", "context", "likeness", "ways", "image", "result", "choice", "answer")
#: Folders that know no architecture: what differs is asked of its descriptor.
NEUTRAL = ("detect", "locate", "kernel", "session", "repair", "rebuild", "launch",
           "report", "triage", "cli")  # fmt: skip
#: Architectures, and words that mean one of them. phys_base is a word of the contract.
OF_AN_ARCHITECTURE = re.compile(
    r"x86|i[36]86|amd64|aarch64|arm64|riscv|s390|ppc64|loongarch|START_KERNEL_MAP|KERNEL_IMAGE"
    r"|PMD_SIZE|\bCR[034]\b|\bcr3\b|\bRIP\b|\brip\b|\bidt\b|\bIDT\b|boot_params|init_top_pgt"
    r"|level[234]_|page_offset_base|vmemmap_base|ffffffff8|ffff_ffff",
    re.IGNORECASE,
)
SUFFIXES = {".py", ".c", ".h", ".sh", ".mk"}
MAX_LINES, MAX_FUNCTION = 400, 50
#: session/plugin.py is what crash calls: it enters at the top.
ENTRANCES = {("session/plugin.py", "cli")}
MODULES = sorted((ROOT / "crashext").rglob("*.py"))


def sources() -> list[Path]:
    """Files that hold code, built and downloaded ones left out."""
    folders = ("crashext", "bridge", "lab", "tests", "tools", "bench")
    found = [p for f in folders for p in sorted((ROOT / f).rglob("*")) if p.suffix in SUFFIXES]
    found = [path for path in found if ROOT / "lab" / "cache" not in path.parents]
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


@pytest.mark.parametrize("folder", NEUTRAL)
def test_no_architecture_outside_its_folder(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / "crashext" / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if OF_AN_ARCHITECTURE.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("folder", NEUTRAL)
def test_nothing_is_imported_from_one_architecture(folder: str) -> None:
    for path in sorted((ROOT / "crashext" / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and "arch" in (node.module or "").split("."):
                inside = (node.module or "").partition("arch")[2]
                assert inside in ("", ".base"), path


def test_inside_locate_imports_go_one_way() -> None:
    place = ROOT / "crashext" / "locate"
    for path in sorted(place.rglob("*.py")):
        own = path.relative_to(place).with_suffix("").parts[0]
        if own not in LOCATE:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level >= len(
                path.relative_to(place).parts
            ):
                first = (node.module or "").partition(".")[0]
                if first in LOCATE:
                    assert LOCATE.index(first) <= LOCATE.index(own), (path, first)


def imports_of(path: Path) -> set[Path]:
    """Modules of the package that a module imports, when it is loaded or later."""
    package = path.relative_to(ROOT).parent
    found: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = ROOT / Path(*package.parts[: len(package.parts) - node.level + 1])
        target = base / Path(*(node.module or "").split("."))
        names = [target / name.name for name in node.names]
        for each in (target, *names):
            for file in (each.with_suffix(".py"), each / "__init__.py"):
                if file.is_file() and file != path:
                    found.add(file)
    return found


def test_no_circle_of_imports() -> None:
    graph = {path: imports_of(path) for path in MODULES if path.name != "__init__.py"}
    done: set[Path] = set()  # what they lead to was followed, and ended

    def visit(path: Path, above: tuple[Path, ...]) -> None:
        assert path not in above, [str(p.relative_to(ROOT)) for p in (*above, path)]
        if path in done:
            return
        for other in graph.get(path, ()):
            visit(other, (*above, path))
        done.add(path)

    for path in graph:
        visit(path, ())


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
