# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as text, from its template."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from .words import name

FILES = Path(__file__).parent / "files"
_STYLES = ("colours.css", "page.css", "picture.css", "print.css")
_SCRIPTS = ("page.js", "log.js", "zoom.js", "kinds.js")


def render(model: Mapping[str, Any]) -> str:
    """The page; whatever a template prints that isn't markup of ours is escaped, controls too."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FILES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    style, script = _joined(_STYLES), _joined(_SCRIPTS)
    return environment.get_template("page.html").render(
        style=Markup(style),
        script=Markup(script),
        style_hash=Markup(_hash(style)),
        script_hash=Markup(_hash(script)),
        **model,
    )


def _finalize(value: object) -> object:
    return value if isinstance(value, Markup) else name(str(value))


@cache
def _joined(names: Sequence[str]) -> str:
    """One block; the comments that name the licence stay behind."""
    parts = ((FILES / name).read_text(encoding="ascii") for name in names)
    return "\n".join(part.partition("*/\n")[2] for part in parts)


def _hash(block: str) -> str:
    digest = hashlib.sha256(block.encode("ascii")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")
