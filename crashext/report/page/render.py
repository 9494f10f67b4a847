# SPDX-License-Identifier: GPL-3.0-or-later
"""A page as text, from its template."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from .words import name

FILES = Path(__file__).parent / "files"
_BASE_STYLES = ("colours.css", "base.css")
_STYLES = ("page.css", "picture.css", "print.css")
_SCRIPTS = ("page.js", "log.js", "zoom.js", "kinds.js")


def render(model: Mapping[str, Any]) -> str:
    """The page of a report, see :func:`stream`."""
    return "".join(stream("page.html", _STYLES, _SCRIPTS, model))


def stream(
    template: str,
    styles: Sequence[str],
    scripts: Sequence[str],
    model: Mapping[str, Any],
    folders: tuple[Path, ...] = (FILES,),
) -> Iterator[str]:
    """A page part by part, from the first of the folders that has each file.

    Whatever a template prints that isn't markup of ours is escaped, controls too. A policy
    allows the one block of styles and the one of scripts that it has, by their hashes.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    style = _joined((*_BASE_STYLES, *styles), folders)
    script = _joined(tuple(scripts), folders)
    return environment.get_template(template).generate(
        style=Markup(style),
        script=Markup(script),
        style_hash=Markup(_hash(style)),
        script_hash=Markup(_hash(script)),
        **model,
    )


def _finalize(value: object) -> object:
    return value if isinstance(value, Markup) else name(str(value))


@cache
def _joined(names: tuple[str, ...], folders: tuple[Path, ...]) -> str:
    """One block; the comments that name the licence stay behind."""
    files = (next(filter(Path.exists, (folder / name for folder in folders))) for name in names)
    return "\n".join(file.read_text(encoding="ascii").partition("*/\n")[2] for file in files)


def _hash(block: str) -> str:
    digest = hashlib.sha256(block.encode("ascii")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")
