# SPDX-License-Identifier: GPL-3.0-or-later
"""Which vmlinux is taken of those that are installed, and which are passed over."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from crashext.errors import SymbolFileError
from crashext.symbols.places import Places, Wanted, debuginfod_cache, places
from crashext.symbols.vmlinux import MADE_BY, Vmlinux
from tests.cli.test_cli import SAMPLE, TRUTHS, VMLINUX

from .debug_files import Files, debug_files

TRUTH = TRUTHS[SAMPLE]
RELEASE, BUILD_ID = TRUTH["release"], TRUTH["build_id"]
WANTED = Wanted(BUILD_ID, RELEASE, TRUTH["banner"])
OTHER = VMLINUX.parent / "vmlinux-6.12.117+deb12-cloud-amd64"
#: Paths as in the packages' lists of files, and who has them so.
INSTALLED = {
    "Debian, Ubuntu": f"usr/lib/debug/boot/vmlinux-{RELEASE}",
    "Fedora": f"usr/lib/debug/lib/modules/{RELEASE}/vmlinux",
    "RHEL, Arch": f"usr/lib/debug/usr/lib/modules/{RELEASE}/vmlinux",
    "SUSE": f"usr/lib/debug/boot/vmlinux-{RELEASE}.debug",
    "SUSE, usr merged": f"usr/lib/debug/usr/lib/modules/{RELEASE}/vmlinux.debug",
    "by build ID": f"usr/lib/debug/.build-id/{BUILD_ID[:2]}/{BUILD_ID[2:]}.debug",
    "built here": f"lib/modules/{RELEASE}/build/vmlinux",
    "with symbols": f"boot/vmlinux-{RELEASE}",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return debug_files(VMLINUX, tmp_path_factory.mktemp("kernel"))


@pytest.fixture(autouse=True)
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUGINFOD_CACHE_PATH", str(tmp_path / "none"))


def install(file: Path, root: Path, path: str) -> Path:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    return target


@pytest.mark.parametrize("path", INSTALLED.values(), ids=INSTALLED)
def test_every_place(path: str, files: Files, tmp_path: Path) -> None:
    there = install(files.whole, tmp_path, path)
    found = Places(needs_debug_info=True, needs_contents=True, root=str(tmp_path)).look(WANTED)
    assert found is not None and (found.path, found.is_whole) == (str(there), True)
    assert found.why.endswith("build ID matches")


def test_nothing_is_there(tmp_path: Path) -> None:
    seen = Places(root=str(tmp_path))
    assert seen.look(WANTED) is None and seen.passed_over == []


def test_another_build_of_the_release_is_passed_over(files: Files, tmp_path: Path) -> None:
    wrong = install(OTHER, tmp_path, INSTALLED["Debian, Ubuntu"])
    right = install(files.whole, tmp_path, INSTALLED["by build ID"])
    seen = Places(root=str(tmp_path))
    found = seen.look(WANTED)
    assert found is not None and found.path == str(right)
    assert seen.passed_over == [f"{wrong}: of another build"]


def test_without_a_build_id_the_banner_tells(files: Files, tmp_path: Path) -> None:
    install(files.whole, tmp_path, INSTALLED["Debian, Ubuntu"])
    found = Places(root=str(tmp_path)).look(WANTED._replace(build_id=None))
    assert found is not None and found.why == "installed debug package, banner matches"
    for lacking in (None, "Linux version of another making"):
        wanted = WANTED._replace(build_id=None, banner=lacking)
        assert Places(root=str(tmp_path)).look(wanted) is None


def test_a_whole_file_comes_before_debug_information_alone(files: Files, tmp_path: Path) -> None:
    install(files.debug, tmp_path, INSTALLED["Debian, Ubuntu"])
    assert (found := Places(root=str(tmp_path)).look(WANTED)) is not None and not found.is_whole
    whole = install(files.whole, tmp_path, INSTALLED["by build ID"])
    assert (found := Places(root=str(tmp_path)).look(WANTED)) is not None
    assert (found.path, found.is_whole) == (str(whole), True)


def test_kernel_and_debug_information_make_one(files: Files, tmp_path: Path) -> None:
    """Whoever needs both gets both, others the part that they need."""
    kernel = install(files.kernel, tmp_path, INSTALLED["with symbols"])
    debug = install(files.debug, tmp_path, INSTALLED["SUSE"])
    root = str(tmp_path)
    both = Places(needs_debug_info=True, needs_contents=True, root=root).look(WANTED)
    assert both is not None and (both.path, both.debug) == (str(kernel), str(debug))
    info = Places(needs_debug_info=True, root=root).look(WANTED)
    assert info is not None and (info.path, info.debug) == (str(debug), None)
    symbols = Places(needs_contents=True, root=root).look(WANTED)
    assert symbols is not None and (symbols.path, symbols.debug) == (str(kernel), None)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("kernel", "no debug information"), ("debug", "without the kernel itself"),
     ("made", "made from a dump"), ("compressed", "compressed"),
     ("no ELF", "not an ELF file"), ("no symbols", "symbol table")],
)  # fmt: skip
def test_it_says_why_one_will_not_do(kind: str, words: str, files: Files, tmp_path: Path) -> None:
    path = INSTALLED["Debian, Ubuntu"]
    if kind == "compressed":
        install(files.whole, tmp_path, path + ".gz").write_bytes(gzip.compress(b"kernel"))
    elif kind == "made":
        (tmp_path / "comment").write_bytes(MADE_BY + b"0.1")
        comment = f".comment={tmp_path / 'comment'}"
        target = install(files.whole, tmp_path, path)
        subprocess.run(["objcopy", "--add-section", comment, str(target)], check=True, timeout=60)
    elif kind == "no ELF":
        install(files.whole, tmp_path, path).write_bytes(b"kernel")
    elif kind == "no symbols":
        install(Path("/bin/true"), tmp_path, path)
    else:
        install(getattr(files, kind), tmp_path, path)
    seen = Places(needs_debug_info=True, needs_contents=True, root=str(tmp_path))
    assert seen.look(WANTED) is None
    assert len(seen.passed_over) == 1 and words in seen.passed_over[0]


@pytest.mark.parametrize(
    "release",
    ["../../../etc", "..", ".", "a/b", "6.1\n", "6.1\x1b[2J", "6.1\0", "", "-6.1 ", "6" * 65, "é"],
)
def test_a_release_that_is_none_leads_nowhere(release: str) -> None:
    assert list(places(None, release)) == []


@pytest.mark.parametrize("build_id", ["", "ab", "../" * 8, "A" * 40, "a" * 41, "a" * 130, "x" * 40])
def test_a_build_id_that_is_none_leads_nowhere(build_id: str) -> None:
    assert list(places(build_id, None)) == []


def test_releases_that_are_some() -> None:
    for release in (RELEASE, "6.12.117+deb12-cloud-amd64", "5.14.0-1.el9.x86_64", "6.1_rc~1-x"):
        assert all(release in place.path for place in places(None, release))


@pytest.mark.parametrize("how", ["named", "XDG_CACHE_HOME", "home", "old"])
def test_debuginfods_cache(
    how: str, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEBUGINFOD_CACHE_PATH")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".cache" / "debuginfod_client"
    if how == "named":
        monkeypatch.setenv("DEBUGINFOD_CACHE_PATH", str(folder := tmp_path / "mine"))
    elif how == "XDG_CACHE_HOME":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
        folder = tmp_path / "c" / "debuginfod_client"
    elif how == "old":
        (folder := tmp_path / ".debuginfod_client_cache").mkdir()
    assert debuginfod_cache() == folder
    seen = Places(root=str(tmp_path))
    there = install(files.whole, folder, f"{BUILD_ID}/debuginfo")
    assert (found := seen.look(WANTED)) is not None and found.path == str(there)
    there.write_bytes(b"")  # no server had it
    assert seen.look(WANTED) is None and seen.passed_over == []


def test_of_a_separate_debug_file_only_its_notes_are_read(files: Files) -> None:
    """Its program headers claim bytes that are those of other sections, or none."""
    with Vmlinux(str(files.whole)) as whole, Vmlinux(str(files.debug)) as debug:
        assert (whole.is_whole, debug.is_whole) == (True, False)
        assert whole.has_debug_info and debug.has_debug_info
        assert whole.build_id == debug.build_id == BUILD_ID
        banner = whole.symbol("linux_banner")
        assert banner is not None and debug.symbol("linux_banner") == banner
        assert whole.banner is not None and debug.banner is None
        assert debug.read(banner, 16) is None
        with pytest.raises(SymbolFileError, match="without the kernel itself"):
            debug.check_whole()
    with Vmlinux(str(files.kernel)) as kernel:
        assert kernel.is_whole and not kernel.has_debug_info
