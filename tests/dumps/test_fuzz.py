# SPDX-License-Identifier: GPL-3.0-or-later
"""A short run of what `make fuzz` does for long, and that it finds what there is to find."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fuzz import pool
from fuzz.pool import NAMES, Finding, files_of, run


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_short_run(name: str) -> None:
    assert run(name, time.time_ns(), seconds=60, cases=25).cases == 25


def spoil(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Make the use of case 7 of a seed do wrong."""
    real = pool._one

    def one(name: str, seed: int, number: int, folder: Path) -> tuple[float, float]:
        if number == 7:
            exec(what)
        return real(name, seed, number, folder)

    monkeypatch.setattr(pool, "_one", one)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("raise ValueError('odd')", "ValueError: odd"),
        ("bytearray(1 << 32)", "MemoryError"),
        ("import os; os.kill(os.getpid(), 11)", "killed or hung"),
        ("import time; time.sleep(60)", "killed or hung"),
    ],
)
def test_a_bad_case_is_caught_and_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str, said: str
) -> None:
    spoil(monkeypatch, what)
    monkeypatch.setattr(pool, "_HANG", 1.0)
    with pytest.raises(Finding, match=f"(?s)kdump 3 7: finding-kdump-3-7.0: .*{said}"):
        run("kdump", 3, seconds=20, cases=100)
    assert (tmp_path / "finding-kdump-3-7.0").read_bytes() == files_of("kdump", 3, 7)[0]


@pytest.mark.parametrize("what", ["memory", "time"])
def test_a_case_that_takes_too_much_is_found(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    if what == "memory":
        spoil(monkeypatch, "bytearray(b'x') * (120 << 20)")
    else:
        monkeypatch.setattr(pool, "_one", lambda *case: (2.5, 1.0))
    with pytest.raises(Finding, match=r"MiB for one of|2\.50 s of CPU"):
        run("kdump", 3, seconds=20, cases=100)


def test_the_same_seed_makes_the_same_cases() -> None:
    for name in NAMES:
        assert files_of(name, 1, 5) == files_of(name, 1, 5)
    assert files_of("kdump", 1, 5) != files_of("kdump", 2, 5)
