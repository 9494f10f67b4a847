# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of guests hold together."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab import batch, kernels
from lab.course import Dump
from lab.derived import DERIVED
from lab.errors import LabError
from lab.scenarios import SCENARIOS

GUEST = Path(kernels.__file__).parent / "guest"


def test_names_are_unique() -> None:
    names = [s.name for s in SCENARIOS] + [d.name for d in DERIVED]
    assert len(names) == len(set(names))


def test_every_course_dumps_once_and_has_formats() -> None:
    for scenario in SCENARIOS:
        assert sum(isinstance(step, Dump) for step in scenario.course) == 1, scenario.name
        assert scenario.formats, scenario.name


def test_actions_and_programs_exist() -> None:
    for scenario in SCENARIOS:
        for action in re.findall(r"lab\.action=(\S+)", scenario.cmdline):
            assert (GUEST / "action" / action).exists(), scenario.name
        for program in scenario.programs:
            assert (GUEST / f"{program}.c").exists(), scenario.name


def test_what_is_sprayed_is_what_the_program_knows() -> None:
    kinds = re.findall(r"^ \*\tspray (\w+)\t", (GUEST / "spray.c").read_text(), re.M)
    asked = [k for s in SCENARIOS for k in re.findall(r"lab\.spray=(\S+)", s.cmdline)]
    assert asked == kinds


def test_linked_addresses_are_of_the_kernel_that_boots() -> None:
    for scenario in SCENARIOS:
        assert scenario.kernel is not None or not scenario.linked, scenario.name


def test_derived_dumps_come_from_files_that_are_made() -> None:
    made = {s.name: {*s.formats, *(["vmcore"] if s.disk else [])} for s in SCENARIOS}
    for derived in DERIVED:
        assert derived.source in made[derived.parent], derived.name


def test_at_most_one_kernel_is_the_answer() -> None:
    for scenario in SCENARIOS:
        answers = [role for role in scenario.roles if role in ("live", "crashed")]
        assert len(answers) <= 1, scenario.name


def test_an_unknown_name_is_refused_before_anything_is_fetched() -> None:
    with pytest.raises(LabError, match="no scenario nonsense"):
        batch.make_all(["nonsense"], [], jobs=1, say=lambda _: None)


@pytest.mark.parametrize(
    ("depends", "release"),
    [
        ("linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)", "6.1.0-56-cloud-amd64"),
        ("linux-base, linux-image-6.12.117+deb12-cloud-amd64", "6.12.117+deb12-cloud-amd64"),
    ],
)
def test_the_release_is_read_from_the_meta_package(
    monkeypatch: pytest.MonkeyPatch, depends: str, release: str
) -> None:
    text = f"Package: linux-image-cloud-amd64\nDepends: {depends}\nSize: 1\n"
    monkeypatch.setattr(kernels, "run", lambda *_, **__: text)
    assert kernels._release("linux-image-cloud-amd64") == release


def test_the_newest_series_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    names = (
        "linux-image-6.9-cloud-amd64\nlinux-image-6.12-cloud-amd64\nlinux-image-6.12-cloud-arm64\n"
    )
    monkeypatch.setattr(kernels, "run", lambda *_, **__: names)
    assert kernels._meta_package("newer") == "linux-image-6.12-cloud-amd64"
