# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/ is built without a warning, every link in it leads somewhere, and so elsewhere."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_cli import ROOT

DOCS = ROOT / "docs"
#: Pages outside docs/, which no Sphinx sees.
OTHERS = sorted({*ROOT.glob("*.md"), *(ROOT / "sample_dumps").glob("*.md")})


def built(source: Path, out: Path) -> str:
    """What Sphinx complains of, as ``make docs`` calls it; "" where it is content."""
    if (
        importlib.util.find_spec("sphinx") is None
        or importlib.util.find_spec("myst_parser") is None
    ):
        pytest.skip("sphinx and myst-parser are not installed (extra docs)")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", out / "doctrees", source, out / "html"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) == (done.stderr == ""), done.stderr
    return done.stderr


def test_the_pages_are_built_without_a_warning(tmp_path: Path) -> None:
    assert built(DOCS, tmp_path) == ""
    pages = {path.stem for path in DOCS.glob("*.md")}
    assert pages <= {path.stem for path in (tmp_path / "html").glob("*.html")}
    start = (tmp_path / "html" / "index.html").read_text()
    assert [page for page in pages - {"index"} if f'href="{page}.html"' not in start] == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[a](nowhere.md)", "nowhere.md"),
        ("[a](other.md#nowhere)", "nowhere"),
        ("[a](#nowhere)", "nowhere"),
        ("[a](folder/file.txt)", "folder/file.txt"),
    ],
)
def test_a_dead_link_is_told(tmp_path: Path, text: str, word: str) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    shutil.copy(DOCS / "conf.py", source)
    (source / "index.md").write_text(f"# A\n\n{text}\n\n```{{toctree}}\nother\n```\n")
    (source / "other.md").write_text("# B\n")
    assert word in built(source, tmp_path / "out")
    (source / "index.md").write_text("# A\n\n[b](other.md#b)\n\n```{toctree}\nother\n```\n")
    assert built(source, tmp_path / "again") == ""


@pytest.mark.parametrize("page", OTHERS, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_that_other_pages_name_are_there(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    files = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in files if not (page.parent / link).exists()] == []
