# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages in a real browser: no errors, no requests, nothing of a guest's runs, keys work."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crashext.text import printable

from ..cli.test_cli import qemufix
from .browser import CHROMIUM, Browser
from .pages import hostile_page, vast_page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

DUMPS = Path(__file__).parents[2] / "lab" / "dumps"
GUESTS = ("panicked", "ovmf-vmcoreinfo", "arm64-panicked", "kexec-stale-note")
WIDTHS = ((1280, False), (1280, True), (390, False))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


def lab_page(folder: Path, guest: str) -> Path:
    dump, page = DUMPS / f"{guest}.kdump", folder / f"{guest}.html"
    if not dump.exists():
        pytest.skip(f"{dump.name} is not in the lab")
    if not page.exists():
        assert qemufix("report", dump, "-o", page).returncode == 0
    return page


@pytest.fixture(scope="module")
def hostile(folder: Path) -> Path:
    path = folder / "hostile.html"
    path.write_text(hostile_page(times=20), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def vast(folder: Path) -> Path:
    path = folder / "vast.html"
    path.write_text(vast_page(), encoding="utf-8")
    return path


def check_quiet(browser: Browser, page: Path) -> None:
    assert browser.problems == []
    assert [url for url in browser.requests if url != page.as_uri()] == []


def check_layout(browser: Browser) -> None:
    """Nothing is wider than the window, but what scrolls by itself."""
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.run(wide) == 0


@pytest.mark.lab
@pytest.mark.parametrize("guest", GUESTS)
def test_pages_of_real_guests_load_without_a_word(
    browser: Browser, folder: Path, guest: str
) -> None:
    page = lab_page(folder, guest)
    for width, dark in WIDTHS:
        browser.open(page, width=width, dark=dark)
        check_quiet(browser, page)
        check_layout(browser)
    assert browser.run("document.querySelectorAll('#log li').length") > 100
    assert browser.run("document.querySelectorAll('#memory .kernel').length") > 0
    assert browser.run("document.querySelectorAll('#kinds svg path').length") > 2


@pytest.mark.lab
def test_the_page_says_what_the_terminal_does(browser: Browser, folder: Path) -> None:
    page = lab_page(folder, "panicked")
    browser.open(page)
    text = browser.run("document.body.innerText")
    terminal = qemufix("report", DUMPS / "panicked.kdump").stdout
    panicked = re.search(r"CPU (\d): sysrq triggered crash, in sysrq_handle_crash", terminal)
    assert panicked is not None
    for words in ("Kernel panic", f"in sysrq_handle_crash on CPU {panicked[1]}"):
        assert words in text
    release = json.loads((DUMPS / "panicked.json").read_text())["release"]
    stopped = re.search(r"stop_this_cpu\+0x[0-9a-f]+", terminal)
    assert stopped is not None
    for words in ("sysrq triggered crash", release, stopped[0], "init (pid 1)"):
        assert words in text and words in terminal
    command = terminal.strip().rpartition("Next: ")[2]
    assert command in text


@pytest.mark.lab
def test_the_log_is_searched_by_keys_alone(browser: Browser, folder: Path) -> None:
    page = lab_page(folder, "panicked")
    browser.open(page)
    shown = "[...document.querySelectorAll('#log li')].filter((line) => !line.hidden)"
    every = browser.run(f"{shown}.length")
    words = browser.run("[...document.querySelectorAll('#log li')].map((l) => l.textContent)")
    browser.press("/", "/")
    assert browser.run("document.activeElement.id") == "find"
    browser.write("KERNEL pan")
    wanted = sum("kernel pan" in line.lower() for line in words)
    assert 0 < wanted < every
    browser.until(f"{shown}.length === {wanted}")
    assert browser.run("document.querySelectorAll('#log mark').length") == wanted
    lines = "1 line" if wanted == 1 else f"{wanted} lines"
    assert browser.run("document.getElementById('matches').textContent") == lines
    browser.press("Escape")
    assert browser.run(f"{shown}.length") == every
    after = browser.run("[...document.querySelectorAll('#log li')].map((l) => l.textContent)")
    assert after == words
    browser.run("level.value = '3'; level.dispatchEvent(new Event('change'))")
    assert 0 < browser.run(f"{shown}.length") < every
    check_quiet(browser, page)


@pytest.mark.lab
def test_the_map_is_zoomed_and_moved_by_keys_alone(browser: Browser, folder: Path) -> None:
    page = lab_page(folder, "panicked")
    browser.open(page)
    width = "Number(document.querySelector('#zoom rect.kernel').getAttribute('width'))"
    place = "document.querySelector('#zoom rect.kernel').getAttribute('x')"
    whole = browser.run(width)
    browser.run("document.getElementById('zoom').focus()")
    browser.press("+", "+")
    assert browser.run(width) == pytest.approx(2 * whole, rel=0.01)
    said = browser.run("document.getElementById('window').textContent")
    assert said.endswith(", 2 times") and said.startswith("0x")
    before = browser.run(place)
    browser.press("ArrowRight")
    assert browser.run(place) != before
    for _ in range(30):
        browser.press("+", "+")
    assert "0x" in browser.run("document.querySelector('.ruler').textContent")
    browser.press("0", "0")
    assert browser.run(width) == pytest.approx(whole, rel=0.01)
    browser.run("document.getElementById('cells').focus()")
    browser.press("ArrowRight")
    browser.press("ArrowDown")
    assert browser.run("document.getElementById('cell').textContent").startswith("from 0x")
    check_quiet(browser, page)


def test_nothing_of_a_hostile_guest_runs(browser: Browser, hostile: Path) -> None:
    for width, dark in WIDTHS:
        browser.open(hostile, width=width, dark=dark)
        check_quiet(browser, hostile)
        check_layout(browser)
    assert browser.run("document.scripts.length") == 1
    assert browser.run("document.images.length") == 0
    assert browser.run("document.title").startswith("Kernel panic")
    assert "<script>alert(1)</script>" in browser.run("document.body.innerText")
    everything = browser.run("document.documentElement.textContent")
    ours = everything.translate(dict.fromkeys(map(ord, "\n\u2212\u2190\u2192\U0001f4a9")))
    assert printable(ours) == ours


def test_the_policy_stops_what_would_run(browser: Browser, hostile: Path, folder: Path) -> None:
    """Were something let through after all: a script, a handler, a style, a request."""
    page = folder / "stopped.html"
    text = hostile.read_text(encoding="utf-8")
    added = (
        "<script>window.ran = 1</script><p id=a onclick='window.ran = 2' style='color: red'>a</p>"
        "<img src='http://127.0.0.1:9/x'><style>#a { color: blue }</style>"
    )
    page.write_text(text.replace("<main>", "<main>" + added), encoding="utf-8")
    browser.open(page)
    browser.run("document.getElementById('a').click()")
    assert browser.run("window.ran") is None
    colours = "['a', 'next'].map((i) => getComputedStyle(document.getElementById(i)).color)"
    first, second = browser.run(colours)
    assert first == second
    browser.until("true")
    assert sum("Content Security Policy" in line for line in browser.problems) >= 4


def test_a_guest_of_one_tib_is_drawn(browser: Browser, vast: Path) -> None:
    for width, dark in WIDTHS:
        browser.open(vast, width=width, dark=dark)
        check_quiet(browser, vast)
        check_layout(browser)
    browser.run("document.getElementById('zoom').focus()")
    for _ in range(24):
        browser.press("+", "+")
    arrow = "document.querySelector('.vcpu')"
    assert browser.run(f"{arrow}.getAttribute('visibility')") == "visible"
    assert 100 < browser.run(f"{arrow}.querySelector('path').getBoundingClientRect().left") < 1280
    assert "times" in browser.run("document.getElementById('window').textContent")


def test_printing_opens_what_is_folded(browser: Browser, vast: Path) -> None:
    browser.open(vast)
    closed = "document.querySelectorAll('details:not([open])').length"
    assert browser.run(closed) > 0
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run(closed) == 0
    printed = browser.ask("Page.printToPDF")
    assert len(printed["data"]) > 10_000
    check_quiet(browser, vast)


def test_everything_that_is_used_by_hand_has_a_name(browser: Browser, vast: Path) -> None:
    """As a screen reader is told it."""
    browser.open(vast)
    nodes = browser.ask("Accessibility.getFullAXTree")["nodes"]

    def named(*roles: str) -> list[str]:
        found: list[Any] = [n for n in nodes if n.get("role", {}).get("value") in roles]
        return [str(n.get("name", {}).get("value", "")) for n in found if not n.get("ignored")]

    for roles in (("button",), ("searchbox", "combobox"), ("image", "img"), ("region",)):
        names = named(*roles)
        assert all(names), (roles, names)
    assert {"Zoom in", "Zoom out"} <= set(named("button"))
    assert "Guest-physical memory" in " ".join(named("image", "img"))


def test_the_browser_would_tell_of_an_error(browser: Browser, folder: Path) -> None:
    """What the other tests rely on."""
    asked: list[str] = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = folder / "bad.html"
    page.write_text(f"<img src='http://127.0.0.1:{server.server_port}/x'><script>no()</script>")
    browser.open(page)
    browser.until("document.images[0].complete")
    server.shutdown()
    assert asked == ["/x"]
    assert any("no is not defined" in line for line in browser.problems)
    assert len(browser.requests) == 2
