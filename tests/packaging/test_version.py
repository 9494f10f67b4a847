# SPDX-License-Identifier: GPL-3.0-or-later
"""The version is crashext.__version__; whoever repeats it says the same."""

from __future__ import annotations

import re
from datetime import date
from email.utils import parsedate_to_datetime

import crashext

from .building import ROOT

VERSION = crashext.__version__
#: As setup.py reads it.
RELEASE = re.compile(r"^## ([0-9.]+) \((\d{4}-\d\d-\d\d)\)$", re.MULTILINE)


def test_the_changelog_has_this_version_and_its_day_first() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    releases = RELEASE.findall(text)
    assert releases[0][0] == VERSION
    days = [date.fromisoformat(day) for _, day in releases]
    assert days == sorted(days, reverse=True)
    headings = re.findall("^## (.*)$", text, re.MULTILINE)
    assert [h for h in headings if h != "Unreleased"] == [f"{v} ({day})" for v, day in releases]


def test_the_debian_package_is_of_this_version_and_day() -> None:
    text = (ROOT / "debian" / "changelog").read_text()
    assert text.startswith(f"qemufix ({VERSION}-")
    (day, *_) = re.findall(r"^ -- .*>  (.*)$", text, re.MULTILINE)
    released = RELEASE.findall((ROOT / "CHANGELOG.md").read_text())[0][1]
    assert parsedate_to_datetime(day).date() == date.fromisoformat(released)
