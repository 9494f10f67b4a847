# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as text: what is in it, that nothing of a guest's is more than text, and its size."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from crashext.dumps import open_dump
from crashext.dumps.base import Range
from crashext.locate import finding
from crashext.report.page import svg
from crashext.report.page.axis import Axis
from crashext.report.page.file_layout import layout_of
from crashext.report.page.kinds import CELLS, map_kinds
from crashext.report.page.memory_map import memory_map
from crashext.report.page.places import Living, living, places_of
from crashext.report.page.words import name as file_name
from crashext.report.page.words import shown, word

from ..cli.test_cli import SAMPLES, TRUTHS, qemufix
from .pages import GIB, HOSTILE, HOSTILE_TEXT, SAMPLE, TIB, hostile_page, vast, vast_page

MOST = 1_000_000
VOID = {"meta", "br", "input"}


class Reader(HTMLParser):
    """Elements with their attributes, the texts of style and script, and that tags match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.blocks: dict[str, str] = {}
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("style", "script"):
            self.blocks[self._open[-1]] = self.blocks.get(self._open[-1], "") + data
        else:
            self.text += data


@pytest.fixture(scope="module")
def hostile() -> str:
    return hostile_page(times=200)


def test_what_a_guest_says_stays_text(hostile: str) -> None:
    reader = Reader(hostile)
    tags = [tag for tag, _ in reader.elements]
    assert tags.count("script") == tags.count("style") == 1
    assert not {"img", "iframe", "object", "form", "base", "link", "foreignobject"} & set(tags)
    for tag, attributes in reader.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        assert (attributes.get("href") or "#").startswith("#"), tag
        assert "src" not in attributes and "xlink:href" not in attributes
    assert "<script>alert(1)</script>" in reader.text
    assert "{{ 7*7 }}" in reader.text


def test_nothing_that_does_not_print_reaches_the_page(hostile: str) -> None:
    """Of what is no ASCII, only what the user called the file."""
    assert all(c.isprintable() for c in hostile if c != "\n")
    assert set(re.findall(r"[^\n\x20-\x7e]", hostile)) == {"\U0001f4a9"}
    numbers = {int(n, 0) if n[:1] != "x" else int(n[1:], 16)
               for n in re.findall(r"&#(x?\w+);", hostile)}  # fmt: skip
    assert all(0x20 <= number < 0x7F for number in numbers)


def test_every_sort_of_hostile_text_is_escaped() -> None:
    assert shown(HOSTILE_TEXT).isprintable() and shown(HOSTILE_TEXT).isascii()
    assert file_name("\u202e\u00e9\x1b") == "\\xe2\\x80\\xae\u00e9\\x1b"
    assert word("a b\u00e9") == "'a b\u00e9'" and word("a'\x1b") == r"$'a\'\x1b'"
    assert shown("\u202e") == r"\xe2\x80\xae"
    assert shown("\ud800") == r"\xed\xa0\x80"
    assert shown(b"\0\x1b\xff") == r"\x00\x1b\xff"


def test_the_policy_allows_the_two_blocks_and_nothing_else(hostile: str) -> None:
    reader = Reader(hostile)
    policy = next(a["content"] for t, a in reader.elements if t == "meta" and "content" in a and
                  (a.get("http-equiv") or "").lower() == "content-security-policy")  # fmt: skip
    rules = dict(rule.strip().split(" ", 1) for rule in (policy or "").split(";"))
    hashes = {
        name: "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for name, text in reader.blocks.items()
    }
    assert rules == {
        "default-src": "'none'", "base-uri": "'none'", "form-action": "'none'",
        "style-src": hashes["style"], "script-src": hashes["script"],
    }  # fmt: skip
    # Before it nothing is loaded that it would forbid.
    assert [tag for tag, _ in reader.elements[:4]] == ["html", "head", "meta", "meta"]


def test_ids_are_unique_and_what_refers_to_them_finds_them(hostile: str) -> None:
    reader = Reader(hostile)
    ids = [a["id"] for _, a in reader.elements if "id" in a]
    assert len(ids) == len(set(ids))
    named = ("aria-labelledby", "aria-describedby", "aria-controls", "for")
    for _, attributes in reader.elements:
        wanted = [i for name in named for i in (attributes.get(name) or "").split()]
        wanted += [(attributes.get("href") or "#").removeprefix("#")]
        assert {i for i in wanted if i} <= set(ids)


def test_every_picture_has_a_name_and_words(hostile: str) -> None:
    reader = Reader(hostile)
    pictures = [a for t, a in reader.elements if t == "svg" and a.get("aria-hidden") != "true"]
    assert len(pictures) == 4
    assert all(a.get("role") == "img" and a.get("aria-labelledby") for a in pictures)
    assert sum(t == "table" for t, _ in reader.elements) >= 5


def test_it_stays_small_however_much_a_guest_says(hostile: str) -> None:
    assert len(hostile) < MOST
    assert "are left out here: qemufix dmesg has all" in hostile


def test_a_guest_of_one_tib_fits_in_a_page() -> None:
    page = vast_page()
    assert len(page) < MOST
    assert "1024 GiB in" in page


def test_a_dump_of_ever_so_many_ranges_fits_in_a_page() -> None:
    assert len(vast_page(ranges=50_000)) < MOST


def test_the_map_of_kinds_has_as_many_cells_for_any_guest() -> None:
    with vast() as (dump, _):
        kinds = map_kinds(dump, Axis(dump.ram), lambda *_: None)
    assert len(kinds.cells) == CELLS
    assert kinds.total.pages == dump.ram_bytes // 4096
    assert all(a.end == b.start for a, b in pairwise(kinds.cells))


@pytest.mark.parametrize("name", ["ovmf-kaslr.kdump", "kdump-filtered.flat"])
def test_descriptors_tell_what_reading_every_page_would(name: str) -> None:
    """Zeros, what is missing, and the rest: against the pages themselves."""
    from crashext.dumps.tally import sampled

    with open_dump(str(SAMPLES / name)) as dump:
        kinds = map_kinds(dump, Axis(dump.ram), lambda *_: None)
        for cell in [c for c in kinds.cells if c.tally.stored or c.tally.missing][:40]:
            low = [r for r in dump.ram if r.start < cell.end and r.end > cell.start]
            parts = [sampled(dump, max(r.start, cell.start), min(r.end, cell.end), 1 << 20)
                     for r in low]  # fmt: skip
            for index in (0, 1, 2, 3):
                assert cell.tally[index] == sum(part[index] for part in parts)


def test_the_axis_is_to_scale_but_for_large_holes() -> None:
    axis = Axis([Range(GIB, 3 * GIB), Range(4 * GIB, 6 * GIB), Range(TIB, TIB + GIB)])
    assert (axis.start, axis.end) == (GIB, TIB + GIB)
    assert [part.folded for part in axis.parts] == [False, True, False]
    per_gib = axis.at(2 * GIB) - axis.at(GIB)
    assert axis.at(4 * GIB) - axis.at(3 * GIB) == pytest.approx(per_gib)
    assert axis.at(TIB + GIB) - axis.at(TIB) == pytest.approx(per_gib)
    for address in (GIB, 2 * GIB, 5 * GIB, TIB + 4096):
        assert axis.address(axis.at(address)) == pytest.approx(address, abs=4096)


def test_places_of_a_real_kernel_are_where_the_guest_said() -> None:
    truth = TRUTHS[SAMPLE]
    with open_dump(str(SAMPLE)) as dump, finding(dump) as found:
        places = places_of(found, None)
        vcpus = living(found)
    kernel = next(p for p in places if p.kind == "kernel")
    assert (kernel.start, kernel.state) == (int(truth["text_paddr"], 0), "live")
    assert {p.kind for p in places} >= {"kernel", "tables"}
    assert vcpus and all(v.paddr is not None for v in vcpus)


def test_the_parts_of_a_file_do_not_overlap_and_end_with_it() -> None:
    for name in ("ovmf-kaslr.kdump", "ovmf-kaslr.elf"):
        path = SAMPLES / name
        with open_dump(str(path)) as dump:
            parts = layout_of(dump)
        whole = [part for part in parts if part.kind != "notes"]
        # Segments may share the same bytes.
        assert all(a.offset + a.size <= b.offset or a[:2] == b[:2] for a, b in pairwise(whole))
        assert parts[0].offset == 0
        assert max(part.offset + part.size for part in parts) == path.stat().st_size


def test_a_picture_alone_is_xml_without_variables() -> None:
    axis = Axis([Range(0, GIB)])
    drawn = memory_map(axis, [Range(0, GIB)], (), [Living(n, n << 20) for n in range(300)])
    file = svg.alone(drawn)
    root = ET.fromstring(file)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert b"var(" not in file and b"--" not in file
    marks = [e for e in root.iter() if e.get("class") == "disc"]
    edges = [(float(e.attrib["x"]), float(e.attrib["width"])) for e in marks]
    assert all(x >= 0 and x + width <= 1200 for x, width in edges)


def test_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    page = tmp_path / "a page.html"
    done = qemufix("report", SAMPLE, "-o", page, "--svg", tmp_path / "m.svg",
                   "--png", tmp_path / "m.png")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert f"wrote '{page}'" in done.stdout
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a page.html", "m.png", "m.svg"]
    assert page.stat().st_mode & 0o777 == SAMPLE.stat().st_mode & 0o666
    gone = qemufix("report", SAMPLE, "-o", tmp_path / "no" / "page.html")
    assert gone.returncode == 3 and gone.stderr.count("\n") == 1


def test_the_dump_is_never_overwritten(tmp_path: Path) -> None:
    dump = tmp_path / "guest.kdump"
    dump.write_bytes(SAMPLE.read_bytes())
    (tmp_path / "link.html").hardlink_to(dump)
    for name in (dump, tmp_path / "link.html", f"{tmp_path}/../{tmp_path.name}/guest.kdump"):
        for option in ("-o", "--svg", "--png"):
            done = qemufix("report", dump, option, name)
            assert done.returncode == 2 and "not overwritten" in done.stderr
    assert dump.read_bytes() == SAMPLE.read_bytes()
    twice = qemufix("report", dump, "-o", tmp_path / "x", "--svg", tmp_path / "x")
    assert twice.returncode == 2


def test_without_the_package_one_line_names_it(tmp_path: Path) -> None:
    for name in ("jinja2", "cairosvg"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}.py").write_text(f"raise ModuleNotFoundError('no', name={name!r})")
        option = {"jinja2": "-o", "cairosvg": "--png"}[name]
        path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
        env = {**os.environ, "PYTHONPATH": path}
        done = qemufix("report", SAMPLE, option, tmp_path / "out", env=env)
        assert done.returncode == 70 and done.stderr.count("\n") == 1
        assert name in done.stderr.lower()


def test_the_terminal_report_loads_none_of_it() -> None:
    code = (
        "import sys; from crashext.cli import run; "
        f"run(['report', {str(SAMPLE)!r}]); "
        "print([m for m in sys.modules if 'jinja2' in m or 'cairo' in m or 'report.page' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_hostile_bytes_are_in_the_hostile_page(hostile: str) -> None:
    """The page that the other tests look at does say what they look for."""
    assert hostile.count("alert(1)") > 500
    assert shown(HOSTILE)[:20].replace("<", "&lt;").replace(">", "&gt;") in hostile


@pytest.mark.lab
def test_the_transcript_of_the_docs_is_what_is_printed(tmp_path: Path) -> None:
    text = (SAMPLES.parent / "docs" / "report.md").read_text()
    command = re.search(r"^    \$ qemufix (.*)\n((?:    .*\n)+)", text, re.MULTILINE)
    assert command is not None
    dump = SAMPLES.parent / "lab" / "dumps" / "panicked.kdump"
    (tmp_path / dump.name).symlink_to(dump)
    done = subprocess.run(
        [sys.executable, "-m", "crashext", *command[1].split()],
        cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(SAMPLES.parent)},
    )  # fmt: skip
    first, *_, page, picture = (line.strip() for line in command[2].splitlines())
    said = done.stdout.splitlines()
    # The transcript is of Debian 12's kernel; a guest has that of the suite it is made on.
    said[0] = re.sub(r"Linux \S+,", re.search(r"Linux \S+,", first)[0], said[0])  # type: ignore[index]
    assert said[0] == first
    for line, told in zip(said[-2:], (page, picture), strict=True):
        name, size, unit = re.fullmatch(r"(wrote \S+): ([\d.]+) (\w+)", line).groups()  # type: ignore[union-attr]
        assert told.startswith(f"{name}: ") and told.endswith(unit)
        assert float(told.split()[-2]) == pytest.approx(float(size), rel=0.1)
