# SPDX-License-Identifier: GPL-3.0-or-later
"""An sdist and both wheels, built once for the tests of a worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from .building import HEADER, WITHOUT_CRASH, build, copy_sources, leave_behind


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, with all that earlier builds may have left in it."""
    folder = copy_sources(tmp_path_factory.mktemp("sources"))
    leave_behind(folder)
    return folder


@pytest.fixture(scope="session")
def sdist(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", sources, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def pure_wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", sources, tmp_path_factory.mktemp("pure"), WITHOUT_CRASH)


@pytest.fixture(scope="session")
def plugin_wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not HEADER.exists():
        pytest.skip("crash's defs.h is not installed")
    return build("wheel", sources, tmp_path_factory.mktemp("plugin"))
