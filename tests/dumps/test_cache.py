# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache of unpacked files: whose it is, what it tells apart, who writes it, what is left."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crashext import UnreadableDump, open_dump
from crashext.dumps import unpacked
from crashext.dumps.storage.contents import clean, contents
from crashext.dumps.storage.folder import Folder

from .conftest import page
from .writers.elf_writer import Elf, Load

OPEN = "import sys, crashext; print(crashext.open_dump(sys.argv[1]).read(0, 13))"


def packed(number: int, level: int = 1) -> bytes:
    return gzip.compress(Elf([Load(0, page(number) * 100)]).write(), level, mtime=0)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "qemufix"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "dump.gz"
    path.write_bytes(packed(1))
    return path


def first_page(path: Path) -> bytes:
    with open_dump(path) as dump:
        return dump.read(0, 4096)


@pytest.mark.parametrize("ctime_too", [False, True])
def test_a_file_rewritten_in_place(
    path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, ctime_too: bool
) -> None:
    """Of the same size and mtime; and where the clock was set back, of the same ctime."""
    # Level 0 stores, so that two files of different pages have one size.
    path.write_bytes(packed(1, 0))
    facts = path.stat()
    if ctime_too:
        real = os.fstat
        monkeypatch.setattr(
            os, "fstat",
            lambda fd: os.stat_result((*real(fd)[:7], 1, 1, 1), {
                "st_mtime_ns": 1, "st_ctime_ns": 1, "st_blocks": real(fd).st_blocks,
            }),
        )  # fmt: skip
    assert first_page(path) == page(1)
    with path.open("r+b") as file:
        file.write(packed(2, 0))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert path.stat().st_size == facts.st_size
    assert first_page(path) == page(2)


def plant(cache: Path, path: Path) -> Path:
    """The file that the cache has of ``path``, replaced by one of other contents."""
    assert first_page(path) == page(1)
    (file,) = cache.glob("*.whole")
    file.unlink()
    planted = cache.parent / "planted"
    planted.write_bytes(Elf([Load(0, page(9))]).write())
    planted.chmod(0o600)
    return file


def test_a_link_is_not_followed(path: Path, cache: Path) -> None:
    file = plant(cache, path)
    file.symlink_to(cache.parent / "planted")
    assert first_page(path) == page(1) and not file.is_symlink()


def test_a_file_open_to_others_is_made_anew(path: Path, cache: Path) -> None:
    file = plant(cache, path)
    (cache.parent / "planted").rename(file)
    file.chmod(0o666)
    assert first_page(path) == page(1) and file.stat().st_mode & 0o77 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_another_users_file_is_made_anew(path: Path, cache: Path) -> None:
    file = plant(cache, path)
    (cache.parent / "planted").rename(file)
    os.chown(file, 12345, -1)
    assert first_page(path) == page(1) and file.stat().st_uid == 0


def test_a_file_with_two_names_is_made_anew(path: Path, cache: Path) -> None:
    file = plant(cache, path)
    os.link(cache.parent / "planted", file)
    assert first_page(path) == page(1)


@pytest.mark.parametrize("name", [".new", ".whole"])
def test_a_folder_or_link_in_the_place_of_a_file(path: Path, cache: Path, name: str) -> None:
    file = plant(cache, path).with_suffix(name)
    file.symlink_to("/dev/zero")
    assert first_page(path) == page(1)


@pytest.mark.parametrize("mode", [0o777, 0o750, 0o701])
def test_a_folder_open_to_others_is_refused(path: Path, cache: Path, mode: int) -> None:
    cache.mkdir(parents=True)
    cache.chmod(mode)
    with pytest.raises(UnreadableDump, match="closed to others"):
        open_dump(path)


def test_a_link_in_the_place_of_the_folder_is_refused(path: Path, cache: Path) -> None:
    (cache.parent / "elsewhere").mkdir(mode=0o700, parents=True)
    cache.symlink_to("elsewhere")
    with pytest.raises(UnreadableDump):
        open_dump(path)


def test_processes_that_race(path: Path, cache: Path) -> None:
    """One unpacks, and all read the same file."""
    command = [sys.executable, "-c", OPEN, str(path)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(6)]
    assert {run.communicate()[0] for run in runs} == {f"{page(1)[:13]!r}\n".encode()}
    assert {file.suffix for file in cache.iterdir()} == {".whole", ".about"}
    assert len(list(cache.iterdir())) == 2


def test_threads_that_race(path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fills: list[int] = []
    real = unpacked._fill

    def fill(*args: object) -> bool:
        fills.append(1)
        time.sleep(0.2)
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(unpacked, "_fill", fill)
    stages: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        opened = [
            pool.submit(open_dump, path, progress=lambda stage, _: stages.append(stage))
            for _ in range(4)
        ]
        assert {future.result().read(0, 4096) for future in opened} == {page(1)}
    assert fills == [1] and any("another process" in stage for stage in stages)


def test_what_a_killed_process_left(path: Path, cache: Path) -> None:
    """Its file is taken over by who wants the same, and removed by who wants another."""
    code = (
        "import sys, time, crashext; from crashext.dumps import unpacked\n"
        "def fill(output, *rest):\n"
        "    output.write(bytes(99999)); output.flush()\n"
        "    print('going', flush=True); time.sleep(60)\n"
        "unpacked._fill = fill; crashext.open_dump(sys.argv[1])"
    )
    other = path.with_name("other.gz")
    other.write_bytes(packed(5))
    for wanted, number in ((path, 1), (other, 5)):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE
        ) as run:
            assert run.stdout is not None and run.stdout.readline() == b"going\n"
            assert [file.suffix for file in cache.iterdir()] == [".new"]
            run.send_signal(signal.SIGKILL)
        assert first_page(wanted) == page(number)
        assert sorted(file.suffix for file in cache.iterdir()) == [".about", ".whole"]
        for file in cache.iterdir():
            file.unlink()


def test_the_oldest_make_room(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{number}.gz" for number in range(4)]
    for number, path in enumerate(paths):
        path.write_bytes(packed(number))
    for path in paths[:3]:
        first_page(path)
    first_page(paths[0])  # used again: the second is the oldest now
    size = max(file.stat().st_blocks * 512 for file in cache.glob("*.whole"))
    monkeypatch.setenv("QEMUFIX_CACHE_SIZE", str(3 * size))
    before = set(cache.glob("*.whole"))
    first_page(paths[3])
    after = set(cache.glob("*.whole"))
    assert len(after) == 3 and len(before - after) == 1
    assert {file.stem for file in cache.glob("*.about")} == {file.stem for file in after}
    monkeypatch.setattr(unpacked, "_fill", lambda *args: pytest.fail("unpacked again"))
    first_page(paths[0])


def test_zeros_stay_holes(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "dump.gz"
    path.write_bytes(gzip.compress(Elf([Load(0, page(1) + bytes(64 << 20) + page(2))]).write()))
    with open_dump(path) as dump:
        assert dump.read(4096 + (64 << 20), 4096) == page(2)
        assert sum(r.size for r in dump.stored) < 1 << 20
    assert next(cache.glob("*.whole")).stat().st_blocks * 512 < 1 << 20


def test_what_is_in_use_makes_no_room(
    tmp_path: Path, path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what this process reads, nor what another does; not when it is closed."""
    monkeypatch.setenv("QEMUFIX_CACHE_SIZE", "0")
    other = tmp_path / "other.gz"
    other.write_bytes(packed(2))
    code = (
        "import sys, crashext; d = crashext.open_dump(sys.argv[1]); print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None and run.stdout.readline() == b"1\n"
        with open_dump(other) as dump:
            make_another(tmp_path, 3)
            assert len(list(cache.glob("*.whole"))) == 3
            assert dump.read(0, 4096) == page(2)
        make_another(tmp_path, 4)
        assert len(list(cache.glob("*.whole"))) == 2, "the other process's, and the last"
        run.communicate(b"\n")
    make_another(tmp_path, 5)
    assert len(list(cache.glob("*.whole"))) == 1


def make_another(folder: Path, number: int) -> None:
    path = folder / f"{number}.gz"
    path.write_bytes(packed(number))
    assert first_page(path) == page(number)


def test_a_file_that_is_shown_by_its_path_is_in_use_by_who_was_started(
    path: Path, cache: Path, tmp_path: Path
) -> None:
    """As a made vmlinux is: the process becomes crash."""
    code = (
        "import sys, os\n"
        "from crashext.dumps.storage import About, Storage\n"
        "fill = lambda output: bool(output.write(bytes(4096)))\n"
        "with Storage('x') as s: e = s.find_or_make(('a',), fill, None, About('made', 'x'))\n"
        "os.execv('/bin/sh', ['sh', '-c', 'echo ' + e.used_by_path() + '; read line'])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        made = Path(run.stdout.readline().strip())
        with Folder("x") as folder:
            assert not folder.remove(made.name) and made.exists()
            run.communicate("\n")
            assert folder.remove(made.name) and not made.exists()


def test_nothing_else_is_removed(
    path: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name it isn't ours, or it is a link, a folder, open to others, of two names."""
    monkeypatch.setenv("QEMUFIX_CACHE_SIZE", "0")
    cache.mkdir(parents=True, mode=0o700)
    aside = tmp_path / "precious"
    aside.write_bytes(b"1")
    (cache / "notes.txt").write_bytes(b"1")
    (cache / "photo.whole").write_bytes(b"1")
    (cache / ("a" * 32 + ".whole")).symlink_to(aside)
    (cache / ("b" * 32 + ".new")).mkdir()
    os.link(aside, cache / ("c" * 32 + ".part"))
    (cache / ("d" * 32 + ".whole")).write_bytes(b"1")
    (cache / ("d" * 32 + ".whole")).chmod(0o644)
    before = set(cache.iterdir())
    first_page(path)
    with Folder("x") as folder:
        clean(folder, contents(folder))
    assert set(cache.iterdir()) - before == set() == before - set(cache.iterdir())
    assert aside.read_bytes() == b"1"


def test_the_words_about_a_file_may_say_anything(path: Path, cache: Path) -> None:
    first_page(path)
    (words,) = cache.glob("*.about")
    for text in ("", "[]", "{}", '{"what": 1, "path": 2}', "[" * 60000, '{"what": "x"}', "\xff"):
        words.write_bytes(text.encode("latin-1"))
        with Folder("x") as folder:
            (file,) = contents(folder)
        assert file.about == ("unknown", "", None)
    assert first_page(path) == page(1)


def test_a_limit_that_is_none(path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QEMUFIX_CACHE_SIZE", "much")
    with pytest.raises(UnreadableDump, match=r"QEMUFIX_CACHE_SIZE: 'much' is no size"):
        open_dump(path)


def test_who_unpacks_is_told_once(path: Path, cache: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        with open_dump(path, say=said.append) as dump:
            assert dump.warnings == ()
    assert len(said) == 1 and "unpacked into the cache, 404 KiB" in said[0]
