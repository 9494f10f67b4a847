# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules loaded once in a worker, which every child of it would load for itself."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from importlib import import_module
from pkgutil import walk_packages

_PARTS = ("arch", "detect", "dumps", "kernel", "locate", "symbols")
_SINGLE = ("repair.plan", "report.facts", "report.result", "repair.facts")


@cache
def load(scheme: str | None = None) -> None:
    """Load what looking at a dump takes; what isn't installed is told where it is used."""
    package = __name__.partition(".")[0]
    for part in _PARTS:
        for module in walk_packages(
            import_module(f"{package}.{part}").__path__, f"{package}.{part}."
        ):
            with suppress(ImportError):
                import_module(module.name)
    for name in _SINGLE:
        import_module(f"{package}.{name}")
    if scheme is not None:
        with suppress(ImportError, ValueError):  # no thread is started by that
            import_module("fsspec").get_filesystem_class(scheme.lower())
