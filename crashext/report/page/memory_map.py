# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of guest-physical memory: RAM to scale, what lies in it, where the vCPUs live."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from ...dumps.base import Range
from ...dumps.intervals import close_up
from ...text import counted, size_text
from . import svg
from .axis import Axis
from .places import Living, Place
from .words import short, span

WIDTH, LEFT, RIGHT = 1200.0, 132.0, 40.0
_LINE = WIDTH - LEFT - RIGHT  # pixels of the axis
_IN_RAM = _STRIP, _STRIP_HEIGHT = 92.0, 52.0
_LANES = (
    ("Kernels", ("kernel",)), ("Page tables", ("tables",)), ("VMCOREINFO", ("vmcoreinfo",)),
    ("Log", ("log",)), ("Firmware", ("firmware", "capture")),
)  # fmt: skip
_LANE, _LANES_TOP = 26.0, _STRIP + _STRIP_HEIGHT + 12
_RULER = _LANES_TOP + _LANE * len(_LANES) + 8
HEIGHT = _RULER + 44
_MOST_TICKS, _TICK_ROOM = 9, 108.0
_LEAST = 2.5  # pixels: what is smaller is drawn so wide
_MOST_DRAWN = 400  # things in one lane, and stretches of RAM
_NEAR = 18.0  # pixels: vCPUs that are drawn as one
_LETTER = 6.7  # pixels that a letter takes


def memory_map(
    axis: Axis, ram: Sequence[Range], places: Sequence[Place], vcpus: Sequence[Living]
) -> ET.Element:
    """The picture; everything on the line bears its place, 0 to 1, for zooming."""
    kernels = sum(place.kind == "kernel" for place in places)
    about = (
        f"{counted(len(ram), 'range')} of RAM, {size_text(sum(r.size for r in ram))} in all, from "
        f"{axis.start:#x} to {axis.end:#x}; {counted(kernels, 'kernel image')}, "
        f"{counted(len(vcpus), 'vCPU')}. The table of places has all of it in words."
    )
    root = svg.picture(WIDTH, HEIGHT, "memory", "Guest-physical memory", about)
    _defs(root)
    for index, (name, _) in enumerate(_LANES):
        y = _LANES_TOP + index * _LANE
        svg.path(root, f"M{LEFT} {y + _LANE / 2}h{_LINE}", "rail")
        svg.text(root, LEFT - 12, y + 17, name, "lane")
    svg.text(root, LEFT - 12, _STRIP + _STRIP_HEIGHT / 2 + 4, "RAM", "lane")
    svg.text(root, LEFT - 12, 30, "vCPUs", "lane")
    line = svg.group(root, "line", clip_path="url(#on-line)")
    _ram(line, axis, ram)
    for index, (_, kinds) in enumerate(_LANES):
        _lane(line, axis, [p for p in places if p.kind in kinds], _LANES_TOP + index * _LANE)
    _images(line, axis, places)
    _vcpus(line, axis, vcpus)
    _ruler(root, axis)
    return root


def _x(place: float) -> float:
    return LEFT + place * _LINE


class _Stretch(NamedTuple):
    """A part of the line, 0 to 1."""

    left: float
    right: float


def _bar(parent: ET.Element, on: _Stretch, y: tuple[float, float], css: str, tip: str = "") -> None:
    """A bar on the line, at ``y`` and so high, and at least so wide that it is seen."""
    (left, right), (top, height) = on, y
    width = max((right - left) * _LINE, _LEAST)
    box = (min(_x(left), _x(1) - width), top, width, height)
    svg.rect(parent, box, css, tip, data_a=f"{left:.12f}", data_b=f"{right:.12f}")


def _defs(root: ET.Element) -> None:
    defs = ET.SubElement(root, "defs")
    clip = ET.SubElement(defs, "clipPath", {"id": "on-line"})
    svg.rect(clip, (LEFT - 4, 0, _LINE + 8, HEIGHT), "")
    marker = {"id": "tip", "viewBox": "0 0 8 8", "refX": "7", "refY": "4", "markerWidth": "7",
              "markerHeight": "7", "orient": "auto"}  # fmt: skip
    svg.path(ET.SubElement(defs, "marker", marker), "M0 0l8 4l-8 4z", "tip")


def _ram(parent: ET.Element, axis: Axis, ram: Sequence[Range]) -> None:
    svg.rect(parent, (LEFT, _STRIP, _LINE, _STRIP_HEIGHT), "hole", data_a="0", data_b="1")
    for stretch, tip in _merged(axis, ram):
        _bar(parent, stretch, _IN_RAM, "ram", tip)
    for part in axis.parts:
        if part.folded:
            middle = (part.left + part.right) / 2
            words = size_text(part.end - part.start)
            _mark(parent, (middle, _STRIP + _STRIP_HEIGHT / 2 + 4), "//", "fold")
            _mark(parent, (middle, _STRIP - 6), f"{words} hole, not to scale", "fold-size")


def _mark(parent: ET.Element, at: tuple[float, float], words: str, css: str) -> None:
    """A word at a place of the line, beside it where the line ends and it is long."""
    place, y = at
    anchor = (
        "middle"
        if len(words) < 3
        else "start"
        if place < 0.1
        else "end"
        if place > 0.9
        else "middle"
    )
    svg.text(parent, _x(place), y, words, css, data_a=f"{place:.12f}", text_anchor=anchor)


def _merged(axis: Axis, ranges: Sequence[Range]) -> Iterable[tuple[_Stretch, str]]:
    """Ranges as they can be told apart on the whole line; each, where there are few."""
    if len(ranges) <= _MOST_DRAWN:
        for each in ranges:
            tip = f"RAM {span(*each)}, {size_text(each.size)}"
            yield _Stretch(axis.at(each.start), axis.at(each.end)), tip
        return
    scaled = ((int(axis.at(r.start) * 4000), int(axis.at(r.end) * 4000) + 1) for r in ranges)
    for left, right in close_up(scaled, gap=4000 // _MOST_DRAWN * 2):
        yield _Stretch(left / 4000, min(right / 4000, 1.0)), "RAM, in many ranges"


def _of(axis: Axis, place: Place) -> _Stretch:
    return _Stretch(axis.at(place.start), axis.at(place.end or place.start))


def _images(parent: ET.Element, axis: Axis, places: Sequence[Place]) -> None:
    """Kernels and their parts, in the strip of RAM."""
    for place in [p for p in places if p.kind == "kernel"][:_MOST_DRAWN]:
        tip = f"{place.name}, {place.state}: {span(place.start, place.end)}"
        _bar(parent, _of(axis, place), _IN_RAM, f"kernel {place.state}", tip)
    for index, place in enumerate([p for p in places if p.kind == "part"][:_MOST_DRAWN]):
        _bar(parent, _of(axis, place), (_STRIP + _STRIP_HEIGHT - 12, 12),
             f"part part{index % 4}", f"{place.name}: {span(place.start, place.end)}")  # fmt: skip


def _lane(parent: ET.Element, axis: Axis, places: Sequence[Place], y: float) -> None:
    """Things of one kind, with their names behind or before them where there is room."""
    shown = [p for p in places if axis.holds(p.start)][:_MOST_DRAWN]
    free = LEFT
    for place, following in pairwise([*shown, None]):
        assert place is not None
        left, right = on = _of(axis, place)
        css = f"mark {place.kind} {place.state}".rstrip()
        _bar(parent, on, (y + 6, _LANE - 12), css, f"{place.name}: {span(place.start, place.end)}")
        words = short(_label(place), 44)
        width, end = len(words) * _LETTER + 5, max(_x(right), _x(left) + _LEAST)
        if end + width < (_x(axis.at(following.start)) if following else _x(1)):
            place_of_name = {"data_a": f"{right:.12f}", "data_dx": "5"}
            svg.text(parent, end + 5, y + 17, words, "name", **place_of_name)
            end += width
        elif _x(left) - width > free:
            place_of_name = {"data_a": f"{left:.12f}", "data_dx": "-5", "text_anchor": "end"}
            svg.text(parent, _x(left) - 5, y + 17, words, "name", **place_of_name)
        free = max(free, end)


def _label(place: Place) -> str:
    if place.kind == "kernel":
        return f"{place.name.removeprefix('kernel ')}, {place.state}"
    if place.kind == "tables":
        return place.name.removeprefix("top-level page table ")
    return place.name.removeprefix("VMCOREINFO, ").partition(" of the kernel")[0]


def _vcpus(parent: ET.Element, axis: Axis, vcpus: Sequence[Living]) -> None:
    """A disc for each place where vCPUs are, and an arrow down to it."""
    known = sorted((axis.at(v.paddr), v.number) for v in vcpus
                   if v.paddr is not None and axis.holds(v.paddr))  # fmt: skip
    groups, apart = _grouped(known, _NEAR), _NEAR
    while sum(2 * _half(numbers) + 6 for _, numbers in groups) > _LINE:
        apart *= 1.5
        groups = _grouped(known, apart)
    labels, halves = [_numbers(n) for _, n in groups], [_half(n) for _, n in groups]
    centres = _apart([_x(place) for place, _ in groups], halves)
    for (place, _), label, half, x in zip(groups, labels, halves, centres, strict=True):
        each = svg.group(parent, "vcpu", data_a=f"{place:.12f}", data_x=svg.number(x))
        tip = f"vCPU {label} executes code at {axis.address(place):#x}, guest-physical"
        down = f"M{x:.2f} 38C{x:.2f} 66 {_x(place):.2f} 58 {_x(place):.2f} {_STRIP - 2}"
        svg.path(each, down, "arrow", marker_end="url(#tip)")
        svg.rect(each, (x - half, 12, 2 * half, 26), "disc", tip, rx="13")
        svg.text(each, x, 29.5, label, "number")


_Group = tuple[float, list[int]]


def _grouped(known: Sequence[tuple[float, int]], near: float) -> list[_Group]:
    """vCPUs so many pixels from one another or less are drawn as one."""
    groups: list[_Group] = []
    for place, index in known:
        if groups and (place - groups[-1][0]) * _LINE < near:
            groups[-1][1].append(index)
        else:
            groups.append((place, [index]))
    return groups


def _half(numbers: Sequence[int]) -> float:
    return max(len(_numbers(numbers)) * _LETTER / 2 + 8, 13)


def _apart(wanted: Sequence[float], halves: Sequence[float]) -> list[float]:
    """Centres as wanted, moved so far that none overlap nor lie beyond the right edge."""
    centres: list[float] = []
    for index, (x, half) in enumerate(zip(wanted, halves, strict=True)):
        before = centres[-1] + halves[index - 1] + 6 if centres else LEFT
        centres.append(max(x, before + half))
    limit = WIDTH
    for index in reversed(range(len(centres))):
        centres[index] = min(centres[index], limit - halves[index])
        limit = centres[index] - halves[index] - 6
    return centres


def _numbers(numbers: Sequence[int]) -> str:
    """``0``, ``0, 1``, ``12 vCPUs``."""
    return ", ".join(map(str, numbers)) if len(numbers) <= 4 else f"{len(numbers)} vCPUs"


def _ruler(root: ET.Element, axis: Axis) -> None:
    """Round addresses under the line; the page's script writes them anew when it is zoomed."""
    ruler = svg.group(root, "ruler")
    free = 0.0
    for address in axis.ticks(_MOST_TICKS):
        x = _x(axis.at(address))
        if x >= free:
            svg.path(ruler, f"M{svg.number(x)} {_RULER}v6", "tick")
            svg.text(ruler, x, _RULER + 20, f"{address:#x}", "address", text_anchor="middle")
            words = size_text(address) if address else "0"
            svg.text(ruler, x, _RULER + 35, words, "address", text_anchor="middle")
            free = x + _TICK_ROOM
