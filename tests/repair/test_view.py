# SPDX-License-Identifier: GPL-3.0-or-later
"""A source as a file that any program opens: what it shows, and how it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crashext import open_dump
from crashext.dumps.source import FileSource
from crashext.repair.headers import Headers
from crashext.repair.overlay import Overlay, Patch
from crashext.repair.view import guard, places, show
from crashext.repair.view.elf_image import ElfImage
from tests.cli.test_cli import ROOT, SAMPLES

SIZE = 3 << 20
TAIL = b"behind the end"
#: Shows sys.argv[1] with a tail, prints the path and why it is a copy, becomes the other words.
PROGRAM = f"""
import os, sys
from crashext.dumps.source import FileSource
from crashext.repair.overlay import Overlay, Patch
from crashext.repair.view import show
source = FileSource(sys.argv[1])
view = show(Overlay(source, [Patch(source.size, {TAIL!r})]))
print(view.path, view.why_copied, sep="|", flush=True)
os.execvp(sys.argv[2], [word.replace("VIEW", view.path) for word in sys.argv[2:]])
"""


def can_mount() -> bool:
    try:
        guard._check()
    except Exception:
        return False
    return True


needs_fuse = pytest.mark.skipif(not can_mount(), reason="no /dev/fuse, or no mfusepy")


@pytest.fixture
def dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "run").mkdir()
    path = tmp_path / "guest of \x1b[31m mine.dump"
    path.write_bytes(os.urandom(SIZE))
    return path


def started(dump: Path, *words: str) -> tuple[subprocess.Popen[bytes], str, str]:
    """A program that reads the view; its path; why it is a copy."""
    argv = [sys.executable, "-c", PROGRAM, str(dump), *words]
    program = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert program.stdout is not None
    path, _, why = program.stdout.readline().decode().rstrip("\n").partition("|")
    return program, path, why


def until(what: bool, is_so: Iterator[bool]) -> bool:
    for _ in range(100):
        if next(is_so) is what:
            return True
        time.sleep(0.05)
    return False


def gone(run: Path) -> bool:
    def any_left() -> Iterator[bool]:
        while True:
            yield bool(list(run.iterdir())) or str(run) in Path("/proc/mounts").read_text()

    return until(False, any_left())


def servers(path: str) -> list[int]:
    """The guard and the server of a view, in that order."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            links = [str(fd.readlink()) for fd in (entry / "fd").iterdir()]
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if str(Path(path).parents[1]) in links:
            found.append((parent, int(entry.name)))
    assert len(found) == 2
    children = {parent for parent, _ in found}
    return [pid for _, pid in sorted(found, key=lambda f: f[1] not in children)]


@needs_fuse
def test_a_program_reads_what_is_shown(dump: Path, tmp_path: Path) -> None:
    program, path, why = started(dump, "cat", "VIEW")
    assert why == "" and Path(path).name == "guest_of___31m_mine.dump"
    assert program.stdout is not None
    shown = program.stdout.read()
    assert program.wait() == 0
    assert shown == dump.read_bytes() + TAIL
    assert dump.stat().st_size == SIZE
    assert gone(tmp_path / "run")


@needs_fuse
def test_nothing_is_written(dump: Path, tmp_path: Path) -> None:
    before = dump.read_bytes()
    script = 'echo x >> "$1" || echo x > "$1" || rm -f "$1" || touch "$1/../other" || echo refused'
    program, _, _ = started(dump, "sh", "-c", script, "sh", "VIEW")
    out, _ = program.communicate(timeout=20)
    assert out == b"refused\n"
    assert dump.read_bytes() == before
    assert gone(tmp_path / "run")


@needs_fuse
@pytest.mark.parametrize("killed", ["reader", "server"])
def test_it_is_gone_when_either_side_is_killed(killed: str, dump: Path, tmp_path: Path) -> None:
    program, path, _ = started(dump, "sleep", "60")
    try:
        assert Path(path).stat().st_size == SIZE + len(TAIL)
        os.kill(program.pid if killed == "reader" else servers(path)[1], signal.SIGKILL)
        assert gone(tmp_path / "run")
    finally:
        program.kill()
        program.wait()


@needs_fuse
def test_what_a_killed_guard_leaves_the_next_view_removes(dump: Path, tmp_path: Path) -> None:
    program, path, _ = started(dump, "sleep", "60")
    try:
        os.kill(servers(path)[0], signal.SIGKILL)
        time.sleep(0.2)
        assert Path(path).parents[1].exists()
        again, other, why = started(dump, "cmp", "VIEW", "VIEW")
        assert again.wait() == 0 and why == "" and other != path
        assert gone(tmp_path / "run")
    finally:
        program.kill()
        program.wait()


@needs_fuse
def test_a_view_that_is_in_use_is_left_alone(dump: Path, tmp_path: Path) -> None:
    program, path, _ = started(dump, "sleep", "60")
    try:
        again, _, _ = started(dump, "true")
        assert again.wait() == 0
        assert Path(path).read_bytes()[-len(TAIL) :] == TAIL
    finally:
        program.kill()
        program.wait()
    assert gone(tmp_path / "run")


@needs_fuse
def test_nobody_waits_for_the_server(dump: Path, tmp_path: Path) -> None:
    """The reader is another process: who started the view ends, and so do its pipes."""
    reader = subprocess.Popen(["sleep", "60"])
    words = PROGRAM.replace("[Patch(source.size, ", f"[Patch(source.size, {TAIL!r} + ").replace(
        "))\nprint", f"), reader={reader.pid})\nprint"
    )
    argv = [sys.executable, "-c", words, str(dump), "true"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True)
        assert Path(done.stdout.split("|")[0]).stat().st_size == SIZE + 2 * len(TAIL)
    finally:
        reader.kill()
        reader.wait()
    assert gone(tmp_path / "run")


def seen_by_nobody(dump: Path, tmp_path: Path, *, path: str) -> str:
    """What a user without rights reads of the view, with that PATH."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o5 != 0o5:
            folder.chmod(0o755)
    for own in (dump, tmp_path / "run"):
        os.chown(own, 65534, 65534)
    device = tmp_path / "fuse"
    os.mknod(device, 0o666 | 0o020000, Path("/dev/fuse").stat().st_rdev)
    device.chmod(0o666)
    script = f"""
        mount --bind {device} /dev/fuse
        exec setpriv --reuid=65534 --regid=65534 --clear-groups env PATH={path} "$@"
    """
    argv = ["unshare", "-m", "sh", "-c", script, "sh", sys.executable, "-c", PROGRAM, str(dump)]
    reader = [str(shutil.which("tail")), "-c", str(len(TAIL)), "VIEW"]
    return subprocess.run([*argv, *reader], capture_output=True, text=True, check=True).stdout


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


needs_rights_to_drop = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("fusermount3"), reason="root and fusermount3 only"
)


@needs_fuse
@needs_rights_to_drop
def test_a_user_without_rights_has_it_too(dump: Path, tmp_path: Path) -> None:
    """Where the device is for all, as udev makes it, and fusermount3 is there."""
    shown = seen_by_nobody(dump, tmp_path, path=os.environ["PATH"])
    assert shown.split("|")[1] == "\n" + TAIL.decode()
    assert gone(tmp_path / "run")


@needs_fuse
@needs_rights_to_drop
def test_nothing_stays_where_it_cant_be_unmounted(dump: Path, tmp_path: Path) -> None:
    """libfuse finds fusermount3 where it was installed, we don't."""
    shown = seen_by_nobody(dump, tmp_path, path=str(tmp_path / "none"))
    assert shown.split("|")[1] == "\n" + TAIL.decode()

    def any_left() -> Iterator[bool]:
        while True:
            commands = [_command(entry) for entry in Path("/proc").glob("[0-9]*")]
            yield any(os.fsencode(dump) in command for command in commands)

    assert until(False, any_left())


@pytest.mark.parametrize("lacking", ["device", "mount"])
def test_without_fuse_it_is_a_copy(
    lacking: str, dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lacking == "device":
        monkeypatch.setattr(guard, "_DEVICE", str(tmp_path / "none"))
    else:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
        (tmp_path / "run").rmdir()
        monkeypatch.setattr(places, "_root", lambda: tmp_path / "run")
    image = Overlay(FileSource(str(dump)), [Patch(SIZE + 70_000, TAIL), Patch(5, b"five")])
    first, again = show(image), show(image)
    assert first == again and "view" in first.why_copied
    copy = Path(first.path)
    assert copy.parent == tmp_path / "cache" / "qemufix"
    assert copy.read_bytes() == image.pread(0, image.size)
    assert copy.stat().st_mode & 0o777 == 0o600
    other = show(Overlay(FileSource(str(dump)), [Patch(5, b"FIVE")]))
    assert other.path != first.path


def test_the_copy_of_an_elf_core_leaves_out_what_the_dump_left_out(
    dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_DEVICE", str(tmp_path / "none"))
    path = SAMPLES / "ovmf-kaslr.kdump"
    with open_dump(path) as given:
        headers = Headers(given.arch, given.byte_order, 64, given.notes)
        view = show(ElfImage(given, headers, [str(path)]))
        assert view.why_copied
        with open_dump(view.path) as core:
            assert core.format == "elf" and core.stored == given.stored
            for part in given.stored:
                assert core.read(part.start, part.size) == given.read(part.start, part.size)
