# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a fleet in a real browser: 100,000 rows, hostile ones, keys, the policy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crashext.text import printable
from crashext.triage.page.course import write_page
from crashext.triage.store import Store
from crashext.triage.work import row_of

from ..report.browser import CHROMIUM, Browser
from ..report.pages import HOSTILE_TEXT
from ..report.test_chromium import WIDTHS, check_layout, check_quiet
from .simulated import filled, hostile_rows, simulated

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

SAMPLES = Path(__file__).parents[2] / "sample_dumps"
MANY = 100_000
FAST = 2500  # milliseconds: far above what it takes, for machines that do much else
NAMES = "[...document.querySelectorAll('#table tbody tr[data-index] td:nth-child(2)')]"
FIND = "document.getElementById('find')"
MATCHES = "document.getElementById('matches').textContent"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


def made(folder: Path, name: str, rows: Any) -> Path:
    store, page = folder / f"{name}.db", folder / f"{name}.html"
    filled(str(store), rows)
    with Store(str(store)) as opened:
        write_page(opened, str(page), str(store), None)
    return page


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("many"), "many", simulated(MANY))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bad = HOSTILE_TEXT.encode("utf-8", "ignore").decode().replace("\0", "")
    return made(tmp_path_factory.mktemp("hostile"), "hostile", hostile_rows(bad))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = ("panicked.flat", "ovmf-kaslr.elf", "s390x-panicked.flat", "reset-vector.flat")
    rows = (row_of(str(SAMPLES / name)) for name in names)
    return made(tmp_path_factory.mktemp("real"), "real", rows)


def search(browser: Browser, words: str) -> None:
    browser.run(f"{FIND}.value = {words!r}; {FIND}.dispatchEvent(new Event('input'))")


def test_100_000_rows_load_without_a_word(browser: Browser, many: Path) -> None:
    for width, dark in WIDTHS:
        browser.open(many, width=width, dark=dark)
        check_quiet(browser, many)
        check_layout(browser)
    assert browser.run(MATCHES) == "100,000 dumps"
    assert 5 < browser.run("document.querySelectorAll('#table tbody tr').length") < 60
    assert browser.run("document.getElementById('table').getAttribute('aria-rowcount')") == "100001"


def test_searching_100_000_rows_is_quick_and_right(browser: Browser, many: Path) -> None:
    browser.open(many)
    rows = list(simulated(MANY))
    wanted = [r for r in rows if r.panic_function == "do_exit" and r.release == "6.1.0-4-amd64"]
    took = browser.run(
        "(() => { const start = performance.now(); dumps.view({words: 'do_exit 6.1.0-4-amd64'});"
        "return performance.now() - start; })()"
    )
    assert took < FAST
    search(browser, "do_exit 6.1.0-4-amd64")
    browser.until(f"{MATCHES} === '{len(wanted):,} of 100,000'")
    browser.run("document.getElementById('table').focus()")
    browser.press("End")
    last = browser.run(f"{NAMES}.at(-1).querySelector('div').title")
    assert last == wanted[-1].url
    assert browser.run("document.querySelectorAll('#table mark').length") > 5
    check_quiet(browser, many)


@pytest.mark.parametrize("key", ["verdict", "release", "hostname", "happened", "moment", "size"])
def test_sorting_100_000_rows_is_quick(browser: Browser, many: Path, key: str) -> None:
    browser.open(many)
    click = f"document.querySelector('[data-key={key}]').click()"
    took = browser.run(
        f"(() => {{ const s = performance.now(); {click}; return performance.now() - s; }})()"
    )
    assert took < FAST
    state = f"document.querySelector('.c-{key}').getAttribute('aria-sort')"
    assert browser.run(state) == "ascending"
    values = f"dumps.view({{by: '{key}'}}).map((n) => dumps.get(n, '{key}'))"
    known = browser.run(f"{values}.filter((v) => v !== null).slice(0, 4000)")
    assert browser.run(f"{values}.length") == MANY
    if key == "size":
        assert known == sorted(known)
    if key == "release":
        assert known[0] == "6.1.0-4-amd64"
        assert browser.run(f"{values}.filter(Boolean).at(-1)") == "6.12.0-39-amd64"
    if key == "moment":
        assert known == sorted(known) and known[0] < known[-1]
    browser.run(click)
    assert browser.run(state) == "descending"
    check_quiet(browser, many)


def test_keys_alone_lead_to_a_dump(browser: Browser, many: Path) -> None:
    browser.open(many)
    browser.press("/", "/")
    assert browser.run("document.activeElement.id") == "find"
    browser.write("web-12 sysrq")
    browser.until(f"{MATCHES}.includes(' of ')")
    browser.press("Enter")
    assert browser.run("document.activeElement.id") == "table"
    for _ in range(30):
        browser.press("ArrowDown")
    active = "document.getElementById(table.getAttribute('aria-activedescendant'))"
    active = active.replace("(table.", "(document.getElementById('table').")
    row = f"{active}.getBoundingClientRect()"
    box = "document.getElementById('rows').getBoundingClientRect()"
    assert browser.run(f"{active}.id") == "row30"
    assert browser.run(f"{row}.top >= {box}.top && {row}.bottom <= {box}.bottom + 1")
    name = browser.run(f"{active}.cells[1].querySelector('div').title")
    browser.press("Enter")
    title = "document.getElementById('dump-title').textContent"
    assert browser.run("document.getElementById('dump').open") and browser.run(title) == name
    command = "document.querySelector('#dump-commands code').textContent"
    assert browser.run(command) == f"qemufix triage {name} --reports reports"
    browser.run("document.getElementById('dump-next').click()")
    assert browser.run(title) != name
    browser.ask("Input.dispatchKeyEvent", type="rawKeyDown", key="Escape", windowsVirtualKeyCode=27)
    assert not browser.run("document.getElementById('dump').open")
    browser.press("Home")
    assert browser.run(f"{active}.id") == "row0"
    check_quiet(browser, many)


def test_an_incident_s_button_shows_its_dumps(browser: Browser, many: Path) -> None:
    browser.open(many)
    first = "document.querySelector('#incidents tbody tr')"
    count = browser.run(f"{first}.querySelector('.number').textContent")
    browser.run(f"{first}.querySelector('.only').click()")
    assert browser.run(MATCHES) == f"{count} of 100,000"
    for section in ("kernels", "failures"):
        row = f"document.querySelector('#{section} tbody tr')"
        browser.run(f"{row}.querySelector('.only').click()")
        wanted = browser.run(f"{row}.querySelector('.number').textContent")
        assert browser.run(MATCHES) == f"{wanted} of 100,000", section
    browser.run("document.getElementById('everything').click()")
    assert browser.run(MATCHES) == "100,000 dumps"


def test_more_rows_than_an_element_is_high_are_reached(browser: Browser, real: Path) -> None:
    """The table of a million: the place is to scale, its first and last row are there."""
    browser.open(real)
    browser.run("dumps.view = () => Array.from({length: 1000000}, (_, n) => n % dumps.count);"
                "document.getElementById('find').dispatchEvent(new Event('input'))")  # fmt: skip
    browser.until("document.getElementById('table').getAttribute('aria-rowcount') === '1000001'")
    browser.run("document.getElementById('table').focus()")
    for key, wanted in (("End", "999999"), ("Home", "0"), ("End", "999999"), ("ArrowUp", "999998")):
        browser.press(key)
        active = "document.getElementById('table').getAttribute('aria-activedescendant')"
        assert browser.run(active) == f"row{wanted}"
        row, box = (
            f"document.getElementById('{each}').getBoundingClientRect()"
            for each in (f"row{wanted}", "rows")
        )
        seen = f"{row}.top >= {box}.top && {row}.bottom <= {box}.bottom + 1"
        assert browser.run(seen), key
    check_quiet(browser, real)


def test_nothing_of_a_hostile_guest_runs(browser: Browser, hostile: Path) -> None:
    for width, dark in WIDTHS:
        browser.open(hostile, width=width, dark=dark)
        check_quiet(browser, hostile)
        check_layout(browser)
        browser.run("document.querySelector('#table tbody tr[data-index]').click()")
        assert browser.run("document.getElementById('dump').open")
        check_layout(browser)
        for _ in range(20):
            browser.run("document.getElementById('dump-next').click()")
        browser.run("document.getElementById('dump-close').click()")
    assert browser.run("document.images.length") == 0
    for button in range(browser.run("document.querySelectorAll('.only').length")):
        browser.run(f"document.querySelectorAll('.only')[{button}].click()")
        assert not browser.run(MATCHES).startswith("0 ")
    browser.run("document.getElementById('everything').click()")
    search(browser, "<script>alert(1)")
    browser.until(f"{MATCHES}.startsWith('40')")
    assert "<script>alert(1)</script>" in browser.run("document.body.innerText")
    everything = browser.run("document.body.innerText")
    ours = everything.translate(dict.fromkeys(map(ord, "\n\t\u2026\u2715\u2191\U0001f4a9")))
    assert printable(ours) == ours
    check_quiet(browser, hostile)


def test_the_policy_stops_what_would_run(browser: Browser, hostile: Path, tmp_path: Path) -> None:
    page = tmp_path / "stopped.html"
    added = (
        "<script>window.ran = 1</script><p id=a onclick='window.ran = 2' style='color: red'>a</p>"
        "<img src='http://127.0.0.1:9/x'><style>#a { color: blue }</style>"
    )
    text = hostile.read_text(encoding="utf-8")
    page.write_text(text.replace("<main>", "<main>" + added), encoding="utf-8")
    browser.open(page)
    browser.run("document.getElementById('a').click()")
    assert browser.run("window.ran") is None
    assert sum("Content Security Policy" in line for line in browser.problems) >= 4


def test_printing_shows_rows_and_takes_them_away_again(browser: Browser, many: Path) -> None:
    browser.open(many)
    rows = "document.querySelectorAll('#table tbody tr[data-index]').length"
    few = browser.run(rows)
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run(rows) == 1000
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert browser.run(rows) == few
    search(browser, "do_exit 6.1.0-4-amd64")
    browser.until(f"{MATCHES}.includes(' of ')")
    assert len(browser.ask("Page.printToPDF")["data"]) > 10_000
    check_quiet(browser, many)


def test_everything_that_is_used_by_hand_has_a_name(browser: Browser, real: Path) -> None:
    browser.open(real)
    nodes = browser.ask("Accessibility.getFullAXTree")["nodes"]

    def named(*roles: str) -> list[str]:
        found = [n for n in nodes if n.get("role", {}).get("value") in roles]
        return [str(n.get("name", {}).get("value", "")) for n in found if not n.get("ignored")]

    for roles in (("button",), ("searchbox", "combobox", "checkbox"), ("region",), ("grid",)):
        names = named(*roles)
        assert names and all(names), (roles, names)
    assert named("grid") == ["All dumps"]
    assert len(named("columnheader")) >= 7
