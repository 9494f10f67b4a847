# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a fleet as text: what is in it, that what a guest says stays text, what it costs."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from crashext.cli import run as command
from crashext.triage.page.course import page, write_page
from crashext.triage.page.table import CODED, Coder, moment_of
from crashext.triage.reports import Reports
from crashext.triage.row import Row
from crashext.triage.store import Store, sort_of

from ..report.pages import HOSTILE_TEXT
from ..report.test_page import Reader
from .simulated import filled, hostile_rows, simulated

SAMPLES = Path(__file__).parents[2] / "sample_dumps"
DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


def text_of(store: Store, reports: Reports | None = None, path: str = "/x/fleet.html") -> str:
    return "".join(page(store, path, reports))


def decoded(text: str) -> list[dict[str, Any]]:
    """The rows as the page's script sees them."""
    (data,) = DATA.findall(text)
    told = json.loads(data)
    known: list[list[str]] = [[] for _ in range(told["coded"])]
    rows = []
    for row in told["rows"]:
        for column, texts in enumerate(known):
            if isinstance(row[column], int):
                row[column] = texts[row[column]]
            elif row[column] is not None and len(texts) < told["known"]:
                texts.append(row[column])
        rows.append(dict(zip(told["columns"], row, strict=True)))
    return rows


@pytest.fixture(scope="module")
def hostile() -> str:
    with Store() as store:
        store.put_all(hostile_rows(HOSTILE_TEXT.replace("\ud800", "").replace("\udcff", "")
                                   .encode("utf-8", "ignore").decode()))  # fmt: skip
        return text_of(store)


def test_every_row_is_on_the_page_with_what_it_says() -> None:
    with Store() as store:
        store.put_all(simulated(7000))
        rows = decoded(text_of(store))
        for row, told in zip(store.rows(), rows, strict=True):
            assert told["folder"] + told["name"] == row.url and told["word"] is None
            assert told["local"] == 0 and told["report"] is None
            assert told["changes"] == ("; ".join(row.changes) or None)
            for name in ("verdict", "failure", "release", "build_id", "hostname", "panic", "size",
                         "panic_function", "last_log", "seconds", "bytes_read"):  # fmt: skip
                assert told[name] == getattr(row, name), name


def test_moments_are_those_of_the_views() -> None:
    with Store() as store:
        store.put_all(simulated(500))
        moments = {row.url: moment_of(row) for row in store.rows()}
        found = store.query("SELECT url, datetime(boot_time, uptime || ' seconds') FROM dumps")
        assert {str(url): said for url, said in found} == moments
    assert moment_of(Row("a", boot_time="no time", uptime=1.0)) is None
    assert moment_of(Row("a", boot_time="2026-11-27T01:00:00+00:00", uptime=1e300)) is None


def test_a_coder_keeps_a_bounded_number_of_texts() -> None:
    coder = Coder(1)
    told = [coder([f"text {number}"])[0] for number in range(20_000)]
    assert told[-1] == "text 19999" and coder(["text 7"]) == [7]
    assert coder(["text 19999"]) == ["text 19999"] and coder([None]) == [None]


def test_incidents_come_first_then_kernels_failures_and_the_table() -> None:
    with Store() as store:
        store.put_all(simulated(3000))
        text = text_of(store)
    sections = re.findall(r'<section id="(\w+)"', text)
    assert sections == ["incidents", "kernels", "failures", "costs", "dumps"]
    assert "tell of a panic or a fault" in text and "sysrq_handle_crash" in text
    # Failures that differ by a number alone are one.
    assert text.count("the file is cut off</td>") == 1
    assert sort_of("offset 0x1c2: 5 bytes") == "offset #: # bytes" and sort_of(None) is None


def test_an_empty_store_has_a_page() -> None:
    with Store() as store:
        text = text_of(store)
        assert "0 dumps" in text and decoded(text) == []


def test_what_a_guest_says_stays_text(hostile: str) -> None:
    reader = Reader(hostile)
    tags = [tag for tag, _ in reader.elements]
    assert tags.count("script") == 2 and tags.count("style") == 1
    assert not {"img", "iframe", "object", "form", "base", "link"} & set(tags)
    for tag, attributes in reader.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        assert (attributes.get("href") or "#").startswith("#"), tag
    assert all(c.isprintable() for c in hostile if c != "\n")
    assert "<" not in DATA.findall(hostile)[0]
    for row in decoded(hostile):
        assert all(value.isprintable() for value in row.values() if isinstance(value, str))


def test_the_policy_allows_the_two_blocks_and_nothing_else(hostile: str) -> None:
    style = re.findall(r"<style>(.*?)</style>", hostile, re.DOTALL)
    script = re.findall(r"<script>(.*?)</script>", hostile, re.DOTALL)
    assert len(style) == len(script) == 1

    def digest(text: str) -> str:
        return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    policy = (
        f"default-src 'none'; style-src '{digest(style[0])}'; script-src '{digest(script[0])}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert f'content="{policy}"' in hostile


def test_memory_stays_flat_however_many_rows(tmp_path: Path) -> None:
    peaks = []
    for count in (2000, 20_000):
        filled(str(tmp_path / f"{count}"), simulated(count))
        with Store(str(tmp_path / f"{count}")) as store:
            tracemalloc.start()
            size = write_page(store, str(tmp_path / "fleet.html"), str(tmp_path), None)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert size > 3 << 20
    assert peaks[1] - peaks[0] < 2 << 20, peaks


def triage(*words: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    status = command(["triage", *map(str, words)], out=out, err=err)
    return status, out.getvalue(), err.getvalue()


def test_the_page_of_a_finished_store_reads_no_dump(tmp_path: Path) -> None:
    dump, store = tmp_path / "a dump.elf", tmp_path / "fleet.db"
    dump.write_bytes((SAMPLES / "ovmf-kaslr.elf").read_bytes())
    first, again = tmp_path / "first.html", tmp_path / "again.html"
    assert triage(dump, "-s", store, "-o", first, "-j1")[0] == 0
    dump.unlink()
    status, said, _ = triage("--store", store, "-o", again)
    assert status == 0 and f"wrote {again}" in said
    assert again.read_bytes() == first.read_bytes()
    (row,) = decoded(again.read_text())
    assert row["name"] == "a dump.elf" and row["word"] == f"'{dump}'"
    assert row["page"].endswith("a_dump.elf.html")
    # Who may read the store may read the page.
    assert again.stat().st_mode & 0o666 == store.stat().st_mode & 0o666


def test_reports_are_written_once_and_linked(tmp_path: Path) -> None:
    dump, folder, out = tmp_path / "guest.elf", tmp_path / "the reports", tmp_path / "fleet.html"
    dump.write_bytes((SAMPLES / "ovmf-kaslr.elf").read_bytes())
    (tmp_path / "notes.txt").write_text("no dump")
    words = (tmp_path / "*.*", "-s", tmp_path / "db", "-o", out, "--reports", folder, "-j1")
    assert triage(*words)[0] == 0
    (report,) = folder.iterdir()
    rows = {row["name"]: row for row in decoded(out.read_text())}
    assert rows["guest.elf"]["report"] == f"the%20reports/{report.name}"
    assert rows["notes.txt"]["report"] is None
    assert "6.1.0" in report.read_text()
    before = report.stat()
    assert triage(*words)[0] == 0 and report.stat() == before
    # One that is gone is written again, though the store knows the dump.
    report.unlink()
    assert triage(*words)[0] == 0 and report.exists()


def test_the_report_of_another_content_is_another() -> None:
    reports = Reports("/r")
    first = Row("s3://b/a/..%2F<x>.elf", "1", release="6.1")
    assert re.fullmatch(r"[\w.-]+-[0-9a-f]{12}\.html", reports.name_of(first))
    assert reports.name_of(first) != reports.name_of(first._replace(identity="2"))
    assert len(reports.name_of(Row("/" + "x" * 4000))) < 255


def test_wrong_words_are_usage_errors(tmp_path: Path) -> None:
    store = tmp_path / "s"
    for words in (
        (),
        ("-o", tmp_path / "x.html"),
        ("--store", store),
        ("--store", store, "-o", tmp_path / "x.html"),
        (SAMPLES, "-o", tmp_path / "none" / "x.html"),
        (SAMPLES, "-s", store, "-o", store),
        (SAMPLES, "--reports", SAMPLES / "panicked.flat"),
    ):
        assert triage(*words)[0] == 2, words
    assert not store.exists()


def test_columns_that_are_coded_hold_texts() -> None:
    with Store() as store:
        store.put_all(simulated(300))
        for row in decoded(text_of(store)):
            assert all(row[name] is None or isinstance(row[name], str) for name in CODED)
