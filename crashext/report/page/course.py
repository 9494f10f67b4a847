# SPDX-License-Identifier: GPL-3.0-or-later
"""From an open search to a page and a picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ... import __version__
from ...detect.meaning import MEANINGS
from ...detect.result import Detection
from ..result import Report
from . import model, svg
from .axis import Axis
from .commands import commands_of
from .evidence_graph import evidence_graph, rows, weighed
from .file_layout import file_picture, layout_of
from .kind_map import SHADES, kind_map
from .kinds import KindMap, map_kinds
from .log_lines import log_part
from .memory_map import memory_map
from .places import Living, Place, living, places_of
from .words import extent, name, short, shown, span

if TYPE_CHECKING:
    from ...dumps.base import Dump
    from ...locate import Found

Progress = Callable[[str, float], None]


class Drawn(NamedTuple):
    """What both the page and the picture alone show."""

    axis: Axis
    places: list[Place]
    living: list[Living]
    memory: ET.Element


def draw(dump: Dump, found: Found, report: Report) -> Drawn:
    """Find out what lies where, and draw it."""
    axis = Axis(dump.ram)
    every = places_of(found, report.facts)
    # Where there are too many, firmware's are left out first.
    few = sorted(every, key=lambda p: p.kind == "firmware")[: model.MOST_PLACES]
    places = sorted(few, key=every.index) if len(few) < len(every) else every
    vcpus = living(found)
    return Drawn(axis, places, vcpus, memory_map(axis, dump.ram, places, vcpus))


def page(
    dump: Dump, found: Found, report: Report, detection: Detection, drawn: Drawn,
    *, kinds: bool, progress: Progress,
) -> str:  # fmt: skip
    """The whole page."""
    from .render import render

    facts = report.facts
    parts = weighed(found)
    return render({
        "version": __version__,
        "name": name(report.location.path.rpartition("/")[2])[:120],
        "headline": model.headline(report),
        "guest": model.guest_facts(report),
        "file": model.file_facts(report.file, report.location.path),
        "banner": short(report.location.banner or "", 400),
        "modules": model.modules(facts),
        "missing": model.missing(report),
        "commands": [{"purpose": c.purpose, "line": c.line} for c in commands_of(report)],
        "debuginfod": [short(url, 400) for url in report.location.debuginfod],
        "vcpus": model.vcpu_rows(facts.vcpus if facts else (), drawn.living, drawn.places),
        "vcpu_count": len(facts.vcpus) if facts else 0,
        "log": log_part(facts.log) if facts and facts.log else None,
        "log_reason": shown(facts.lacking.get("log", "")) if facts else "no kernel was found",
        "memory": _markup(drawn.memory),
        "axis": drawn.axis.written(),
        "ram": _ram(dump),
        "parts_key": [{"css": f"part part{index}", "name": short(each.name, 40)} for index, each
                      in enumerate([p for p in drawn.places if p.kind == "part"][:4])],
        "places": model.places_rows(drawn.places),
        "kinds": _kinds(map_kinds(dump, drawn.axis, progress)) if kinds and dump.ram else None,
        "evidence": _markup(evidence_graph(found, parts)),
        "evidence_rows": rows(parts, report.location.arch),
        "detection": [{"name": e.name, "value": short(e.value, 200), "points_to": e.points_to,
                       "strength": e.strength, "meaning": MEANINGS.get(e.name, "")}
                      for e in detection.evidence[:60]],
        **_file(dump),
    })  # fmt: skip


def _markup(drawing: ET.Element) -> Any:
    from markupsafe import Markup

    return Markup(svg.inline(drawing))


def _ram(dump: Dump) -> dict[str, Any]:
    listed = [{"span": span(*r), "size": extent(*r)} for r in dump.ram[:64]]
    return {"listed": listed, "more": max(len(dump.ram) - 64, 0)}


def _kinds(kinds: KindMap) -> dict[str, Any]:
    total, seen = kinds.total, max(kinds.total.seen, 1)
    whole = total.pages * kinds.page_size

    def share(name: str, css: str, pages: int, about: str) -> dict[str, str]:
        part = pages / seen
        return {"name": name, "css": css, "share": f"{part:.1%}", "about": about,
                "size": extent(0, int(whole * part))}  # fmt: skip

    packed = total.packed / max(total.stored * kinds.page_size, 1)
    return {
        "picture": _markup(kind_map(kinds)),
        "sampled": kinds.sampled,
        "seen": f"{total.seen / max(total.pages, 1):.1%}",
        "shades": range(SHADES),
        "rows": [
            share("zeros", "zero", total.zero, "nothing but zeros"),
            share("missing", "missing", total.missing, "left out of the dump, or lost with it"),
            share("in use", "shade4", total.stored, f"packs to {packed:.0%} of its size"),
        ],
    }


def _file(dump: Dump) -> dict[str, Any]:
    parts = layout_of(dump)
    return {
        "file_picture": _markup(file_picture(parts)) if parts else None,
        "file_rows": [
            {"name": p.name, "about": short(p.about, 200), "size": extent(0, p.size), "css": p.kind,
             "span": span(p.offset, p.offset + p.size)}
            for p in parts
        ],
        "flattened": dump.flattened,
    }  # fmt: skip
