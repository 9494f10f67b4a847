# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix cache``: its list, its JSON, and what it removes."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from .test_cli import ROOT, SAMPLE, one_line, qemufix

JSON = (ROOT / "docs" / "json.md").read_text()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "qemufix"


@pytest.fixture
def dumps(tmp_path: Path, place: Path) -> list[Path]:
    """Two compressed dumps that were opened, the second 40 days ago."""
    paths = [tmp_path / "one.gz", tmp_path / "two.gz"]
    for level, path in enumerate(paths, 1):
        path.write_bytes(gzip.compress(SAMPLE.read_bytes(), level))
        said = qemufix("detect", path).stderr
        assert re.fullmatch(
            rf"qemufix: {path}: unpacked into the cache, [\d.]+ KiB \(see `qemufix cache`\)\n", said
        )
        assert qemufix("detect", path).stderr == "", "it is said once"
    long_ago = time.time() - 40 * 86400
    os.utime(made_from(paths[1], place), (long_ago, long_ago))
    return paths


def made_from(dump: Path, place: Path) -> Path:
    """The file of the cache that was made from a dump."""
    (words,) = [w for w in place.glob("*.about") if json.loads(w.read_text())["path"] == str(dump)]
    return words.with_suffix(".whole")


def listed(*args: object) -> Any:
    return json.loads(qemufix("cache", *args, "--json").stdout)


def test_what_is_listed(dumps: list[Path], place: Path) -> None:
    answer = listed()
    files = [made_from(dump, place) for dump in reversed(dumps)]
    on_disk = [file.stat().st_blocks * 512 for file in files]
    assert (answer["schema"], answer["folder"], answer["limit"]) == (1, str(place), 64 << 30)
    assert answer["bytes"] == sum(on_disk)
    assert [each["bytes"] for each in answer["files"]] == on_disk
    assert [each["name"] for each in answer["files"]] == [file.stem for file in files]
    assert [each["from"] for each in answer["files"]] == [str(dumps[1]), str(dumps[0])]
    assert {each["what"] for each in answer["files"]} == {"unpacked dump"}
    head, old, new = qemufix("cache").stdout.splitlines()[:3]
    assert head.startswith(f"{place}: 2 files, ") and "at most 64 GiB" in head
    assert "40 days ago" in old and str(dumps[1]) in old and "just now" in new


def test_a_made_vmlinux_is_listed_with_its_kernel(place: Path, tmp_path: Path) -> None:
    dump = ROOT / "lab" / "dumps" / "ovmf-kaslr.kdump"
    if not dump.exists():
        pytest.skip("no lab dump (make sample-dumps)")
    done = qemufix("crash", "--dry-run", dump, "--crash", "/bin/true")
    if "made from the dump" not in done.stderr:
        pytest.skip("the debug package is installed")
    (file,) = listed()["files"]
    release = json.loads(dump.with_suffix(".json").read_text())["release"]
    assert (file["what"], file["from"], file["kernel"]) == (
        "made vmlinux",
        str(dump.resolve()),
        release,
    )


def test_clean_by_age(dumps: list[Path], place: Path) -> None:
    old, new = made_from(dumps[1], place), made_from(dumps[0], place)
    would = listed("clean", "--older-than", 30, "--dry-run")
    assert [each["name"] for each in would["removed"]] == [old.stem] and old.exists()
    done = listed("clean", "--older-than", 30)
    assert done["removed"] == would["removed"] and (done["dry_run"], would["dry_run"]) == (0, 1)
    assert sorted(place.iterdir()) == sorted([new, new.with_suffix(".about")])


@pytest.mark.parametrize("name", ["path", "whole", "beginning"])
def test_clean_by_name(dumps: list[Path], place: Path, name: str) -> None:
    file, other = made_from(dumps[0], place), made_from(dumps[1], place)
    words = {"path": str(dumps[0]), "whole": file.stem, "beginning": file.stem[:8]}
    assert "removed: 1 file" in qemufix("cache", "clean", words[name]).stdout
    assert not file.exists() and other.exists()


def test_clean_all(dumps: list[Path], place: Path) -> None:
    assert "removed: 2 files" in qemufix("cache", "clean").stdout
    assert list(place.iterdir()) == []
    assert "removed: 0 files" in qemufix("cache", "clean").stdout


def test_what_is_in_use_stays(dumps: list[Path], place: Path) -> None:
    code = (
        "import sys, crashext; d = crashext.open_dump(sys.argv[1]); print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(dumps[0])],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
    ) as run:  # fmt: skip
        assert run.stdout is not None and run.stdout.readline() == b"1\n"
        assert [each["in_use"] for each in listed()["files"]] == [False, True]
        done = qemufix("cache", "clean")
        run.communicate(b"\n")
    assert done.returncode == 1 and "in use: 1 file" in done.stdout
    assert [file.name for file in place.glob("*.whole")] == [made_from(dumps[0], place).name]


def test_two_that_clean_at_once(dumps: list[Path], place: Path) -> None:
    command = [sys.executable, "-m", "crashext", "cache", "clean"]
    runs = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    said = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0] * 4, said
    assert sum(int(line.split()[1]) for text in said for line in text.splitlines()[:1]) == 2
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_is_told_and_removed(place: Path, dumps: list[Path]) -> None:
    left = place / ("a" * 32 + ".new")
    left.write_bytes(bytes(8192))
    left.chmod(0o600)
    assert "left half made" in qemufix("cache").stdout
    assert "removed: 1 file, 8 KiB" in qemufix("cache", "clean", "aaaa").stdout
    assert not left.exists()


def test_no_cache_yet(place: Path) -> None:
    assert qemufix("cache").stdout.startswith(f"{place}: 0 files, 0 bytes")
    assert not place.exists(), "looking makes nothing"


@pytest.mark.parametrize(
    ("args", "environ", "status", "word"),
    [
        (("clean", "nothing"), {}, 2, "nothing is nothing in the cache"),
        (("clean", "--older-than", "-1"), {}, 2, "-1"),
        ((), {"QEMUFIX_CACHE_SIZE": "much"}, 2, "'much' is no size"),
    ],
)
def test_what_makes_no_sense(
    place: Path, args: tuple[str, ...], environ: dict[str, str], status: int, word: str
) -> None:
    done = qemufix("cache", *args, env={**os.environ, **environ})
    assert (done.returncode, done.stdout) == (status, "") and word in one_line(done.stderr)


def test_a_folder_open_to_others_is_not_touched(dumps: list[Path], place: Path) -> None:
    place.chmod(0o755)
    done = qemufix("cache", "clean")
    assert done.returncode == 3 and "closed to others" in one_line(done.stderr)
    assert len(list(place.glob("*.whole"))) == 2


def test_the_words_of_a_file_are_escaped(dumps: list[Path], place: Path) -> None:
    words = made_from(dumps[0], place).with_suffix(".about")
    words.write_text(json.dumps({"what": "\x1b[2J", "path": "\x1b]0;x\x07", "kernel": "\n"}))
    text = qemufix("cache").stdout
    assert "\x1b" not in text and "\\x1b[2J" in text and len(text.splitlines()) <= 4


def test_the_json_is_documented(dumps: list[Path]) -> None:
    section = JSON[JSON.index("## cache") :]
    documented = set(re.findall(r"`(\w+)`", section))
    answer, cleaned = listed(), listed("clean")
    for each in (answer, cleaned, *answer["files"]):
        assert set(each) - documented == set()
