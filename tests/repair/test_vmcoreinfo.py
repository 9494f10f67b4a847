# SPDX-License-Identifier: GPL-3.0-or-later
"""The text that belongs into a dump: of a real sample whose guest wrote it otherwise."""

from __future__ import annotations

import json
import re

import pytest

from crashext.dumps import open_dump
from crashext.dumps.elf import ElfDump
from crashext.repair.overlay import Patch
from crashext.repair.vmcoreinfo import MARK
from crashext.vmcoreinfo import parse

from .conftest import SAMPLES, planned_over

SAMPLE = SAMPLES / "ovmf-kaslr.elf"
START = b"OSRELEASE="


def places() -> list[tuple[int, bytes]]:
    """Offset in the file and content of each copy of the text."""
    content = SAMPLE.read_bytes()
    found = [m.start() for m in re.finditer(START + rb"[^\0]{1000,4096}\0", content)]
    assert found
    return [(at, content[at : content.index(b"\0", at)]) for at in found]


def rewritten(old: bytes, new: bytes) -> list[Patch]:
    """Each copy with one piece replaced."""
    patches = []
    for at, text in places():
        assert old in text
        patches.append(Patch(at, text.replace(old, new, 1).ljust(len(text), b"\0")))
    return patches


def of_key(text: bytes, key: bytes) -> bytes:
    """The whole line."""
    return next(line + b"\n" for line in text.split(b"\n") if line.startswith(key + b"="))


@pytest.fixture(scope="module")
def text() -> bytes:
    return places()[0][1]


@pytest.mark.parametrize("garbage", [b"00" * 20, b"zz" * 20, b"", b"ab"])
def test_a_garbage_build_id(text: bytes, garbage: bytes) -> None:
    patches = rewritten(of_key(text, b"BUILD-ID"), b"BUILD-ID=" + garbage + b"\n")
    with planned_over(SAMPLE, patches) as plan:
        changes = {change.what: change for change in plan.changes}
        note = next(n for n in plan.headers.notes if n.name == "VMCOREINFO")
    change = changes["VMCOREINFO BUILD-ID"]
    assert (change.old, change.new) == (garbage.decode(), plan.location.build_id)
    assert parse(note.desc).build_id == plan.location.build_id
    assert note.desc.count(b"BUILD-ID=") == 1


@pytest.mark.parametrize("key", [b"NUMBER(phys_base)", b"KERNELOFFSET", b"SYMBOL(swapper_pg_dir)"])
def test_a_missing_line_is_completed(text: bytes, key: bytes) -> None:
    line = of_key(text, key)
    with planned_over(SAMPLE, rewritten(line, b"")) as plan:
        changes = {change.what: change for change in plan.changes}
        note = next(n for n in plan.headers.notes if n.name == "VMCOREINFO")
    assert changes[f"VMCOREINFO {key.decode()}"].old is None
    assert line in note.desc
    assert note.desc.startswith(START)


def test_what_no_search_proves_is_left_alone(text: bytes) -> None:
    old = of_key(text, b"NUMBER(SECTION_SIZE_BITS)") if b"SECTION_SIZE_BITS" in text else b""
    old = old or of_key(text, b"NUMBER(NR_FREE_PAGES)")
    new = old.rstrip(b"\n") + b"1\n"
    with planned_over(SAMPLE, rewritten(old, new)) as plan:
        note = next(n for n in plan.headers.notes if n.name == "VMCOREINFO")
    assert new in note.desc


def test_a_text_not_written_yet_is_composed(text: bytes) -> None:
    patches = [Patch(at, bytes(len(found))) for at, found in places()]
    with planned_over(SAMPLE, patches) as plan:
        note = next(n for n in plan.headers.notes if n.name == "VMCOREINFO")
        location = plan.location
    made, real = parse(note.desc), parse(text)
    assert made.values[MARK]
    for key in ("OSRELEASE", "BUILD-ID", "PAGESIZE", "KERNELOFFSET", "SYMBOL(swapper_pg_dir)",
                "SYMBOL(init_uts_ns)", "SYMBOL(_stext)", "NUMBER(phys_base)",
                "OFFSET(uts_namespace.name)", "NUMBER(pgtable_l5_enabled)"):  # fmt: skip
        assert made.values[key] == real.values[key], key
    assert made.phys_base == location.phys_base


def test_a_hostile_text_is_escaped(text: bytes) -> None:
    line = of_key(text, b"BUILD-ID")
    evil = b"BUILD-ID=\x1b[2J\x07\xff" + b"a" * 20 + b"\n"
    with planned_over(SAMPLE, rewritten(line, evil)) as plan:
        shown = json.dumps([change.to_json() for change in plan.changes])
    assert "\\u001b" not in shown
    assert "\x1b" not in shown


def test_the_sample_has_none_yet() -> None:
    with open_dump(SAMPLE) as dump:
        assert isinstance(dump, ElfDump)
        assert dump.vmcoreinfo is None
