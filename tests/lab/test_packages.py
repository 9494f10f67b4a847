# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of this machine and of others, with a stand-in for apt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from lab import batch, kernels, packages
from lab.errors import LabError, Unavailable
from lab.packages import Apt
from lab.scenarios import SCENARIOS
from lab.target import TARGETS, Which

INDEX = """\
http://mirror.example/debian/|bookworm|main|Packages|$(SIGNED_BY)
http://mirror.example/debian/|bookworm|main|Translations|$(SIGNED_BY)
http://mirror.example/debian/|bookworm|contrib|Packages|/usr/share/keyrings/archive.gpg
http://mirror.example/debian/|bookworm|main|Packages|$(SIGNED_BY)
"""
FOREIGN = Apt("arm64", Path("apt.conf"))


@pytest.fixture
def apt_says(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr(packages, "run", lambda *_, **__: text)


def _fail(*_: Any, **__: Any) -> str:
    raise LabError("apt-cache: exit status 100: E: No packages found")


@pytest.mark.parametrize(
    ("meta", "depends", "release"),
    [
        ("cloud-amd64", "linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)", "6.1.0-56-cloud-amd64"),
        (
            "6.12-cloud-amd64",
            "linux-base, linux-image-6.12.117+deb12-cloud-amd64",
            "6.12.117+deb12-cloud-amd64",
        ),
        ("6.12-arm64-16k", "linux-image-6.12.117+deb12-arm64-16k", "6.12.117+deb12-arm64-16k"),
        ("s390x", "linux-image-6.1.0-50-s390x (= 6.1.176-1)", "6.1.0-50-s390x"),
        ("686-pae", "linux-image-6.1.0-50-686-pae (= 6.1.176-1)", "6.1.0-50-686-pae"),
    ],
)
def test_the_release_is_read_from_the_meta_package(
    apt_says: Callable[[str], None], meta: str, depends: str, release: str
) -> None:
    apt_says(f"Package: linux-image-{meta}\nDepends: {depends}\nSize: 1\n")
    assert kernels._release(Apt("amd64"), f"linux-image-{meta}") == release


def test_a_kernel_of_another_flavour_is_no_release(apt_says: Callable[[str], None]) -> None:
    apt_says("Package: linux-image-arm64\nDepends: linux-image-6.1.0-56-arm64-16k\n")
    with pytest.raises(LabError, match="depends on no kernel"):
        kernels._release(Apt("arm64"), "linux-image-arm64")


def test_the_newest_series_is_taken(apt_says: Callable[[str], None]) -> None:
    names = ("6.9-cloud-amd64", "6.12-cloud-amd64", "6.13-cloud-arm64", "6.14-cloud-amd64-x")
    apt_says("".join(f"linux-image-{name}\n" for name in names))
    newest = kernels._newest_beside(Apt("amd64"), "linux-image-cloud-amd64")
    assert newest == "linux-image-6.12-cloud-amd64"


#: What the archives have: the own release's with its series beside the default, what came
#: before, the backports.
CLOUD = "linux-image-cloud"
BOOKWORM = {"own": {CLOUD: "6.1.0-9", "linux-image-6.12-cloud": "6.12.9"}}
TRIXIE = {"own": {CLOUD: "6.12.9"}, "before": {CLOUD: "6.1.0-9"}, "backports": {CLOUD: "7.3.4"}}
ONE_SERIES = {"own": {CLOUD: "6.12.9"}, "before": {CLOUD: "6.12.1"}}


@pytest.fixture
def archives(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, dict[str, str]]], None]:
    """Stand-ins for the archives, whose meta packages depend on the releases given."""

    def use(have: dict[str, dict[str, str]]) -> None:
        def run(command: Sequence[str | Path], **_: Any) -> str:
            match [str(word) for word in command]:
                case ["env", setting, "apt-cache", what, *_, package]:
                    there = have.get(setting.removeprefix("APT_CONFIG="), {})
                    if what == "pkgnames":
                        return "".join(f"{name}-{ARCH}\n" for name in there)
                    release = there[package.removesuffix(f"-{ARCH}")]
                    return f"Depends: linux-base, linux-image-{release}-cloud-{ARCH} (= 1)\n"
            raise AssertionError(command)

        def place(name: str) -> Callable[[str], Apt]:
            def found(debian: str) -> Apt:
                if name not in have:
                    raise Unavailable(name)
                return Apt(debian, Path(name))

            return found

        monkeypatch.setattr(packages, "run", run)
        names = {"apt": "own", "previous_release": "before", "backports": "backports"}
        for function, name in names.items():
            monkeypatch.setattr(kernels, function, place(name))

    return use


ARCH = "amd64"


@pytest.mark.parametrize(
    ("have", "which", "where", "release"),
    [
        (BOOKWORM, "default", "own", "6.1.0-9"),
        (BOOKWORM, "other", "own", "6.12.9"),
        (TRIXIE, "default", "own", "6.12.9"),
        (TRIXIE, "other", "before", "6.1.0-9"),
        ({**TRIXIE, "before": ONE_SERIES["own"]}, "other", "backports", "7.3.4"),
    ],
)
def test_another_series_is_truly_another(
    archives: Callable[[Any], None], have: Any, which: Which, where: str, release: str
) -> None:
    archives(have)
    found, name = kernels._find(TARGETS["x86_64"], which)
    assert (str(found.config), name) == (where, f"{release}-cloud-amd64")


def test_archives_with_one_series_leave_its_guests_out(archives: Callable[[Any], None]) -> None:
    archives(ONE_SERIES)
    with pytest.raises(Unavailable, match="no archive has the other kernel for amd64"):
        kernels._find(TARGETS["x86_64"], "other")


@pytest.mark.parametrize(
    ("have", "where"), [(BOOKWORM, "6.12.9"), (TRIXIE, "6.12.9"), (ONE_SERIES, "6.12.9")]
)
def test_52_bit_addresses_are_of_linux_6_9(
    archives: Callable[[Any], None], have: Any, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.ARCH", "arm64")
    archives(have)
    assert kernels._find(TARGETS["aarch64"], "lpa2")[1] == f"{where}-cloud-arm64"


def test_sources_are_the_machines_own_for_another_architecture() -> None:
    assert packages.sources(INDEX, "arm64") == (
        "deb [arch=arm64] http://mirror.example/debian/ bookworm main\n"
        "deb [arch=arm64 signed-by=/usr/share/keyrings/archive.gpg]"
        " http://mirror.example/debian/ bookworm contrib\n"
    )


def test_another_release_has_sources_where_this_one_has() -> None:
    lines = packages.sources(INDEX + "http://x/|bookworm-updates|main|Packages|/k", "amd64")
    assert packages.of_other_release(lines, {"bookworm": "trixie"}) == (
        "deb [arch=amd64] http://mirror.example/debian/ trixie main\n"
        "deb [arch=amd64 signed-by=/usr/share/keyrings/archive.gpg]"
        " http://mirror.example/debian/ trixie contrib\n"
    )
    assert packages.of_other_release(lines, {"sid": "sid"}) == ""


def test_two_releases_that_become_one() -> None:
    lines = "".join(f"deb [arch=amd64] http://x/ {name} main\n" for name in ("trixie", "sid"))
    assert packages.of_other_release(lines, {"trixie": "sid", "sid": "sid"}) == (
        "deb [arch=amd64] http://x/ sid main\n"
    )


def test_a_machine_without_a_next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "run", lambda *_, **__: "http://x/|sid|main|Packages|\n")
    with pytest.raises(Unavailable, match="next release"):
        packages.next_release.__wrapped__(tmp_path)


def test_a_machine_without_a_development_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "run", lambda *_, **__: "http://x/|noble|main|Packages|\n")
    with pytest.raises(Unavailable, match="of Debian"):
        packages.development_release.__wrapped__("amd64", tmp_path)


def test_an_index_read_in_part_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: Sequence[str | Path], **_: Any) -> str:
        match [str(word) for word in command]:
            case ["dpkg", *_]:
                return "amd64\n"
            case ["apt-get", "indextargets", *_]:
                return INDEX
            case [_, setting, "apt-get", *_, "update"]:
                assert setting == f"APT_CONFIG={tmp_path / 'arm64' / 'apt.conf'}"
                raise LabError("apt-get: exit status 100: E: Some index files failed to download")
        raise AssertionError(command)

    monkeypatch.setattr(packages, "run", run)
    foreign = packages.apt.__wrapped__("arm64", tmp_path)
    assert foreign.config is not None
    assert f'Dir::State::lists "{tmp_path}/arm64/lists";' in foreign.config.read_text()
    assert packages.apt.__wrapped__("amd64", tmp_path) == Apt("amd64")


def test_a_foreign_package_may_be_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "run", _fail)
    with pytest.raises(Unavailable, match=r"^apt's index for arm64 lacks linux-image-arm64$"):
        FOREIGN.show("linux-image-arm64")
    with pytest.raises(LabError, match="run `apt-get update`") as own:
        Apt("amd64").show("linux-image-amd64")
    assert not isinstance(own.value, Unavailable)


def test_only_guests_whose_packages_are_missing_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def get_kernel(target: Any, which: str, _: Any) -> None:
        if target.arch == "aarch64" and which == "lpa2":
            raise Unavailable("apt's index for arm64 lacks linux-image-arm64")

    monkeypatch.setattr(batch, "get_kernel", get_kernel)
    monkeypatch.setattr(batch, "busybox", lambda _: None)
    said: list[str] = []
    chosen = [s for s in SCENARIOS if s.name in ("ovmf-kaslr", "arm64-direct", "arm64-newer")]
    assert batch._left_out(chosen, said.append) == {"arm64-newer"}
    assert said == ["left out: arm64-newer: apt's index for arm64 lacks linux-image-arm64"]


def test_packages_come_with_what_they_need_from_their_own_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    debs = tmp_path / "debs"

    def download(command: Sequence[str], **_: Any) -> str:
        assert command[:2] == ["env", "APT_CONFIG=apt.conf"]
        assert {"--download-only", f"--option=Dir::Cache::archives={debs}"} < set(command)
        assert (debs / "partial").is_dir()
        for name in ("libc6_2_arm64.deb", "crash_8_arm64.deb", "lock"):
            (debs / name).touch()
        return ""

    monkeypatch.setattr(packages, "run", download)
    found = FOREIGN.download_whole(["crash"], debs)
    assert [path.name for path in found] == ["crash_8_arm64.deb", "libc6_2_arm64.deb"]


def test_foreign_packages_that_can_not_be_had_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "run", _fail)
    with pytest.raises(Unavailable, match="crash python3 can't be downloaded"):
        FOREIGN.download_whole(["crash", "python3"], tmp_path / "debs")
