# SPDX-License-Identifier: GPL-3.0-or-later
"""What repair in place and ``--undo`` do not touch: said in one line, every byte as it was."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zstandard

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_dumps"
VMLINUX = SAMPLES / json.loads((SAMPLES / "ovmf-kaslr.json").read_text())["vmlinux"]
SUFFIX = ".qemufix-undo"

Done = subprocess.CompletedProcess[str]


def qemufix(*args: object) -> Done:
    command = [sys.executable, "-m", "crashext", *map(str, args)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )


def repair(dump: Path) -> Done:
    return qemufix("repair", dump, "--in-place", "--vmlinux", VMLINUX)


def undo(dump: Path) -> Done:
    return qemufix("repair", dump, "--undo")


def journal(dump: Path) -> Path:
    return dump.with_name(dump.name + SUFFIX)


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    path = tmp_path / "guest.kdump"
    shutil.copyfile(SAMPLES / "ovmf-kaslr.kdump", path)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repaired dump with its journal, not to be touched."""
    dump = tmp_path_factory.mktemp("made") / "guest.kdump"
    shutil.copyfile(SAMPLES / "ovmf-kaslr.kdump", dump)
    done = repair(dump)
    assert done.returncode == 0, done.stderr
    return dump


@pytest.fixture
def repaired(made: Path, tmp_path: Path) -> Path:
    for path in (made, journal(made)):
        shutil.copy2(path, tmp_path)
    return tmp_path / made.name


def state(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file of a folder: mode, time of change, bytes (of a link where it leads)."""
    found = {}
    for path in sorted(folder.iterdir()):
        facts = path.lstat()
        data = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        found[path.name] = facts.st_mode, facts.st_mtime_ns, data
    return found


@contextmanager
def nothing_changes(folder: Path) -> Iterator[None]:
    before = state(folder)
    yield
    assert state(folder) == before


def assert_refused(done: Done, *words: str, status: int = 3) -> None:
    assert (done.returncode, done.stdout) == (status, ""), done
    lines = [line for line in done.stderr.splitlines() if "unpacked into the cache" not in line]
    assert len(lines) == 1 and lines[0].startswith("qemufix: "), done.stderr
    for word in words:
        assert word in done.stderr


def test_open_for_writing_elsewhere(dump: Path, tmp_path: Path) -> None:
    with dump.open("r+b"), nothing_changes(tmp_path):
        assert_refused(repair(dump), "open for writing elsewhere", str(os.getpid()))


def test_open_for_reading_elsewhere_does_not_matter(dump: Path) -> None:
    with dump.open("rb"):
        assert repair(dump).returncode == 0


def test_read_only(dump: Path, tmp_path: Path) -> None:
    dump.chmod(0o444)
    with nothing_changes(tmp_path):
        assert_refused(repair(dump), "read-only")


def test_a_file_of_several_names(dump: Path, tmp_path: Path) -> None:
    (tmp_path / "other").hardlink_to(dump)
    with nothing_changes(tmp_path):
        assert_refused(repair(dump), "2 names")


def test_a_symbolic_link_is_followed(dump: Path, tmp_path: Path) -> None:
    """The file that it leads to is repaired, its journal lies beside that, the link stays."""
    before = dump.read_bytes()
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = folder / "link"
    link.symlink_to(dump)
    assert repair(link).returncode == 0
    assert dump.read_bytes() != before
    assert link.is_symlink() and journal(dump).exists() and list(folder.iterdir()) == [link]
    assert undo(link).returncode == 0
    assert dump.read_bytes() == before and not journal(dump).exists()


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_compressed_as_a_whole(dump: Path, tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    packed = tmp_path / "packed"
    packed.write_bytes(pack(dump.read_bytes()))
    with nothing_changes(tmp_path):
        assert_refused(repair(packed), "compressed", "-o")


def test_one_whose_kernel_is_not_certain(tmp_path: Path) -> None:
    dump = tmp_path / "guest.flat"
    shutil.copyfile(SAMPLES / "ovmf-firmware.flat", dump)
    with nothing_changes(tmp_path):
        done = qemufix("repair", dump, "--in-place")
    assert done.returncode == 1 and "Traceback" not in done.stderr


@pytest.mark.parametrize("suffix", ["kdump", "elf", "flat"])
def test_a_second_repair_changes_nothing(tmp_path: Path, suffix: str) -> None:
    dump = tmp_path / f"guest.{suffix}"
    shutil.copyfile(SAMPLES / f"ovmf-kaslr.{suffix}", dump)
    assert repair(dump).returncode == 0
    with nothing_changes(tmp_path):
        done = qemufix("repair", dump, "--in-place", "--vmlinux", VMLINUX, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["changed"], answer["changes"]) == (False, [])
    assert answer["journal"] == str(journal(dump))


def test_undo_without_a_journal(dump: Path, tmp_path: Path) -> None:
    with nothing_changes(tmp_path):
        done = undo(dump)
    assert done.returncode == 0 and done.stdout.count("\n") <= 2
    assert "nothing to undo" in done.stdout


def changed(content: bytes, **fields: Any) -> bytes:
    """A journal with other values in it, whose digest is right."""
    data = json.loads(content.split(b"\n", 1)[0])
    text = json.dumps({**data, **fields})
    return f"{text}\n{hashlib.sha256(text.encode()).hexdigest()}\ndone\n".encode()


def of_another_size(content: bytes) -> bytes:
    size = json.loads(content.split(b"\n", 1)[0])["size"]
    return changed(content, size=size + 4096)


def outside_the_file(content: bytes) -> bytes:
    text = base64.b64encode(bytes(16)).decode()
    return changed(content, replaced=[{"offset": 1 << 50, "old": text, "new": text}])


DAMAGED: tuple[Callable[[bytes], bytes], ...] = (
    lambda content: b"",
    lambda content: content[: len(content) // 2],
    lambda content: content.replace(b'"offset"', b'"offsat"', 1),
    lambda content: content.replace(b"A", b"B", 1),
    lambda content: changed(content, schema=99),
    lambda content: changed(content, replaced=None),
    lambda content: changed(content, size=-1),
    lambda content: changed(content, samples="0" * 64),
    of_another_size,
    outside_the_file,
)


@pytest.mark.parametrize("damage", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_journal(
    repaired: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    place = journal(repaired)
    place.write_bytes(damage(place.read_bytes()))
    place.chmod(0o600)
    with nothing_changes(tmp_path):
        assert_refused(undo(repaired), status=3)


def test_a_journal_of_another_dump(dump: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    twin = other / dump.name
    data = bytearray(dump.read_bytes())
    data[len(data) * 3 // 4] ^= 1  # in a page
    twin.write_bytes(bytes(data))
    assert repair(dump).returncode == 0
    shutil.copy2(journal(dump), journal(twin))
    with nothing_changes(other):
        assert_refused(undo(twin), "not undone")


def test_a_journal_that_is_a_link(repaired: Path, tmp_path: Path) -> None:
    place = journal(repaired)
    place.rename(tmp_path / "elsewhere")
    place.symlink_to("elsewhere")
    with nothing_changes(tmp_path):
        assert_refused(undo(repaired), "not applied")


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_journal_that_others_may_write(repaired: Path, tmp_path: Path, mode: int) -> None:
    journal(repaired).chmod(mode)
    with nothing_changes(tmp_path):
        assert_refused(undo(repaired), "not applied")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_journal_of_somebody_else(repaired: Path, tmp_path: Path) -> None:
    os.chown(journal(repaired), 65534, 65534)
    with nothing_changes(tmp_path):
        assert_refused(undo(repaired), "not applied")


@pytest.mark.parametrize("at", [0, 1 / 2, 1])
def test_a_dump_that_changed_since(repaired: Path, tmp_path: Path, at: float) -> None:
    with repaired.open("r+b") as file:
        file.seek(int((repaired.stat().st_size - 1) * at))
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    with nothing_changes(tmp_path):
        assert_refused(undo(repaired), "not undone")


@pytest.mark.parametrize("more", [-100, 100])
def test_a_dump_of_another_length_since(repaired: Path, tmp_path: Path, more: int) -> None:
    facts = repaired.stat()
    os.truncate(repaired, facts.st_size + more)
    os.utime(repaired, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with nothing_changes(tmp_path):
        assert_refused(undo(repaired), "not undone")


def test_undo_of_a_file_that_must_not_be_changed(repaired: Path, tmp_path: Path) -> None:
    with repaired.open("r+b"), nothing_changes(tmp_path):
        assert_refused(undo(repaired), "open for writing elsewhere")
    repaired.chmod(0o444)
    with nothing_changes(tmp_path):
        assert_refused(undo(repaired), "read-only")
