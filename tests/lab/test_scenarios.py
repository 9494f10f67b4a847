# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of guests hold together."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab import batch, kernels
from lab.course import Dump, Migrate
from lab.derived import DERIVED
from lab.errors import LabError
from lab.scenarios import SCENARIOS

GUEST = Path(kernels.__file__).parent / "guest"


def test_names_are_unique() -> None:
    names = [s.name for s in SCENARIOS] + [d.name for d in DERIVED]
    assert len(names) == len(set(names))


def test_every_course_dumps_once_and_has_formats() -> None:
    for scenario in SCENARIOS:
        steps = [isinstance(s, Dump) or (isinstance(s, Migrate) and s.rounds > 0)
                 for s in scenario.course]  # fmt: skip
        assert sum(steps) == 1, scenario.name
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


def test_every_kernel_and_firmware_is_of_its_target() -> None:
    for scenario in SCENARIOS:
        target = scenario.target
        assert {*scenario.which_kernels} <= {*target.kernels, *target.built}, scenario.name
        assert scenario.firmware in (None, "seabios", target.firmware, *target.bios), scenario.name


def test_the_groups_of_make_test_are_of_its_two_architectures() -> None:
    of = {group: {s.arch for s in SCENARIOS if s.group == group} for group in ("core", "arm64")}
    assert of == {"core": {"x86_64"}, "arm64": {"aarch64"}}
