# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing SVG: elements with escaped text, colours by class, no style attributes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path

from .words import shown

_FILES = Path(__file__).parent / "files"
_VARIABLE = re.compile(r"var\((--[\w-]+)\)")
_VALUE = re.compile(r"(--[\w-]+):\s*([^;]+);")


def number(value: float) -> str:
    """In as few digits as are seen."""
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"


def picture(width: float, height: float, name: str, title: str, about: str) -> ET.Element:
    """An empty picture; ``title`` and ``about`` are what a screen reader says."""
    root = ET.Element("svg", {
        "class": f"picture {name}", "viewBox": f"0 0 {number(width)} {number(height)}",
        "role": "img", "aria-labelledby": f"{name}-title {name}-about",
    })  # fmt: skip
    ET.SubElement(root, "title", {"id": f"{name}-title"}).text = shown(title)
    ET.SubElement(root, "desc", {"id": f"{name}-about"}).text = shown(about)
    return root


def group(parent: ET.Element, css: str, **attributes: str) -> ET.Element:
    """A ``g``."""
    return ET.SubElement(parent, "g", {"class": css, **_named(attributes)})


def rect(
    parent: ET.Element, box: tuple[float, float, float, float], css: str, tip: str = "",
    **attributes: str,
) -> ET.Element:  # fmt: skip
    """A rectangle: x, y, width, height; ``tip`` is shown when the pointer rests on it."""
    x, y, width, height = map(number, box)
    size = {"x": x, "y": y, "width": width, "height": height}
    made = ET.SubElement(parent, "rect", {"class": css, **size, **_named(attributes)})
    if tip:
        ET.SubElement(made, "title").text = shown(tip)
    return made


def path(parent: ET.Element, line: str, css: str, **attributes: str) -> ET.Element:
    """A path."""
    return ET.SubElement(parent, "path", {"class": css, "d": line, **_named(attributes)})


def text(
    parent: ET.Element, x: float, y: float, words: str, css: str, **attributes: str
) -> ET.Element:
    """A line of text."""
    place = {"class": css, "x": number(x), "y": number(y)}
    made = ET.SubElement(parent, "text", {**place, **_named(attributes)})
    made.text = shown(words)
    return made


def inline(root: ET.Element) -> str:
    """For a page, whose own rules colour it."""
    return ET.tostring(root, encoding="unicode")


def alone(root: ET.Element) -> bytes:
    """A file of its own: with its rules, in the light colours, which every viewer understands."""
    _, _, width, height = root.attrib["viewBox"].split()
    attributes = {"xmlns": "http://www.w3.org/2000/svg", "width": width, "height": height}
    copy = ET.Element(root.tag, {**attributes, **root.attrib})
    ET.SubElement(copy, "style").text = _rules()
    rect(copy, (0, 0, float(width), float(height)), "sheet")
    copy.extend(root)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + bytes(ET.tostring(copy))


@cache
def _rules() -> str:
    colours = dict(_VALUE.findall((_FILES / "colours.css").read_text(encoding="ascii")
                                  .partition("@media")[0]))  # fmt: skip
    rules = (_FILES / "picture.css").read_text(encoding="ascii")
    return _VARIABLE.sub(lambda match: colours[match[1]], rules)


def _named(attributes: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): shown(value) for name, value in attributes.items()}
