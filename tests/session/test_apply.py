# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to a session, and when it is left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import crashext
import crashext.arch
from crashext.errors import SessionError
from crashext.locate import locate
from crashext.locate.result import Location
from crashext.session.apply import LIMIT, LIMIT_VARIABLE, Shown, apply
from crashext.session.restart import MARKER
from tests.arch.toy import Toy

from .fake_host import FakeHost, as_host

SAMPLES = Path(__file__).parents[2] / "sample_dumps"
DUMP, VMLINUX = SAMPLES / "ovmf-kaslr.elf", SAMPLES / "vmlinux-6.1.0-56-cloud-amd64"
TRUTH = json.loads(DUMP.with_suffix(".json").read_text())
PHYS_BASE = int(TRUTH["phys_base"], 16) - (1 << 64)
OFFSET = int(TRUTH["kaslr_offset"], 16)
BANNER_AT = int(TRUTH["symbols"]["linux_banner"], 16) - 0xFFFFFFFF80000000 + PHYS_BASE


@pytest.fixture(scope="module")
def location() -> Location:
    with crashext.open_dump(str(DUMP)) as dump:
        return locate(dump, vmlinux=str(VMLINUX))


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    monkeypatch.delenv(MARKER, raising=False)
    monkeypatch.delenv(LIMIT_VARIABLE, raising=False)
    banner = TRUTH["banner"].encode() + b"\n\0"
    return FakeHost(namelist=str(VMLINUX), memory={BANNER_AT: banner})


def test_minimal_session_is_reinitialised(host: FakeHost, location: Location) -> None:
    apply(as_host(host), location)
    assert host.reinits == [(PHYS_BASE, OFFSET, LIMIT)]
    assert not host.restarts


def test_minimal_session_with_right_values_becomes_a_full_one(
    host: FakeHost, location: Location
) -> None:
    host.phys_base, host.kaslr_offset = PHYS_BASE, OFFSET
    apply(as_host(host), location)
    assert len(host.reinits) == 1


def test_right_full_session_is_left_alone(host: FakeHost, location: Location) -> None:
    host.minimal, host.can_reinit = False, False
    host.phys_base, host.kaslr_offset = PHYS_BASE, OFFSET
    apply(as_host(host), location)
    assert not host.reinits
    assert not host.restarts
    assert "already: nothing to change" in host.out


@pytest.mark.parametrize("minimal", [True, False])
def test_restart_where_in_process_is_impossible(
    host: FakeHost, location: Location, minimal: bool
) -> None:
    host.minimal, host.can_reinit = minimal, False
    apply(as_host(host), location)
    assert not host.reinits
    [(argv, _)] = host.restarts
    assert argv[:4] == ["crash", *location.crash_args]
    assert "can't be re-initialised as it runs" in host.out


def test_restart_asked_for(host: FakeHost, location: Location) -> None:
    apply(as_host(host), location, restart=True)
    assert not host.reinits
    assert len(host.restarts) == 1
    assert "can't" not in host.out


def test_restart_that_did_not_help_is_not_repeated(
    host: FakeHost, location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MARKER, "1")
    host.can_reinit = False
    with pytest.raises(SessionError, match="started again already"):
        apply(as_host(host), location)
    assert not host.restarts


@pytest.mark.parametrize(("restart", "deed"), [(False, "re-initialise"), (True, "start crash")])
def test_dry_run_only_says(host: FakeHost, location: Location, restart: bool, deed: str) -> None:
    apply(as_host(host), location, dry_run=True, restart=restart)
    assert not host.reinits
    assert not host.restarts
    assert f"Would {deed}" in host.out
    assert TRUTH["phys_base"] in host.out


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    "memory", [{}, {BANNER_AT: b"Linux version 6.1.0-1 of another build\n" * 9}]
)
def test_no_banner_no_change(
    host: FakeHost, location: Location, memory: dict[int, bytes], dry_run: bool
) -> None:
    host.memory = memory
    with pytest.raises(SessionError, match="nothing was changed"):
        apply(as_host(host), location, dry_run=dry_run)
    assert not host.reinits
    assert not host.restarts


def test_banner_in_the_message_is_escaped(host: FakeHost, location: Location) -> None:
    host.memory = {BANNER_AT: b"\x1b[2J" * 100}
    with pytest.raises(SessionError, match=r"\\x1b\[2J"):
        apply(as_host(host), location)


def test_half_an_answer_is_not_applied(host: FakeHost, location: Location) -> None:
    for half in (
        location._replace(text_paddr=None),
        location._replace(kaslr_offset=None),
    ):
        with pytest.raises(SessionError, match="not applied"):
            apply(as_host(host), half)


@pytest.mark.parametrize("text", ["0", "-1", "soon", "inf", "nan", ""])
def test_absurd_limits_are_refused(
    host: FakeHost, location: Location, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, text)
    with pytest.raises(SessionError, match="no number of seconds"):
        apply(as_host(host), location)
    assert not host.reinits


def test_limit_is_the_users(
    host: FakeHost, location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "7.5")
    apply(as_host(host), location)
    assert host.reinits == [(PHYS_BASE, OFFSET, 7.5)]


@pytest.fixture
def elsewhere(location: Location, monkeypatch: pytest.MonkeyPatch) -> Location:
    """The same answer on an architecture without phys_base, where crash needs a VMCOREINFO."""
    toy = Toy()
    monkeypatch.setattr(crashext.arch, "ARCHITECTURES", (toy,))
    return location._replace(arch=toy.name, phys_base=None)


@pytest.mark.parametrize("options", [{}, {"dry_run": True}, {"restart": True}])
def test_where_options_do_not_suffice_nothing_is_done(
    host: FakeHost, elsewhere: Location, options: dict[str, Any]
) -> None:
    host.can_reinit, host.phys_base = False, None
    with pytest.raises(SessionError, match="needs a repaired dump") as refused:
        apply(as_host(host), elsewhere, **options)
    assert "\n" not in str(refused.value)
    assert (host.reinits, host.restarts, host.out) == ([], [], "")


def test_where_options_do_not_suffice_crash_starts_on_a_repaired_dump(
    host: FakeHost, elsewhere: Location
) -> None:
    host.can_reinit, host.phys_base = False, None
    shown = Shown(("/run/view/guest.elf",), "it is shown \x1b repaired")
    apply(as_host(host), elsewhere, repaired=lambda: shown)
    ((args, script),) = host.restarts
    assert args[-2:] == ["vmlinux", "/run/view/guest.elf"] and "--minimal" not in args
    assert b"extend ./qemufix.so" in script
    assert "has to start again on a repaired dump" in host.out
    assert "it is shown \\x1b repaired\n" in host.out
    assert host.out.index("repaired\n") < host.out.index("Starting crash again with")


def test_the_dump_itself_stays_where_it_is_right(host: FakeHost, elsewhere: Location) -> None:
    host.can_reinit, host.phys_base = False, None
    apply(as_host(host), elsewhere, repaired=lambda: Shown((), ""))
    assert host.restarts[0][0][-2:] == ["vmlinux", "guest.elf"]


def test_a_dry_run_repairs_nothing(host: FakeHost, elsewhere: Location) -> None:
    host.can_reinit, host.phys_base = False, None
    apply(as_host(host), elsewhere, repaired=lambda: pytest.fail("made"), dry_run=True)
    assert "Would start crash again" in host.out and not host.restarts


def test_a_repaired_dump_is_made_once(
    host: FakeHost, elsewhere: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QEMUFIX_RESTARTED", "1")
    host.can_reinit, host.phys_base = False, None
    with pytest.raises(SessionError, match="started again already"):
        apply(as_host(host), elsewhere, repaired=lambda: pytest.fail("made"))


@pytest.mark.parametrize(("moved", "right"), [(0, True), (0x200000, False)])
def test_full_session_without_phys_base(
    host: FakeHost, elsewhere: Location, moved: int, right: bool
) -> None:
    host.minimal, host.can_reinit, host.phys_base = False, False, None
    assert elsewhere.kimage_voffset is not None
    host.kimage_voffset, host.kaslr_offset = elsewhere.kimage_voffset + moved, OFFSET
    if right:
        apply(as_host(host), elsewhere)
        assert f"kimage_voffset {elsewhere.kimage_voffset:#x}" in host.out
        assert "already: nothing to change" in host.out
    else:
        with pytest.raises(SessionError, match="not applied"):
            apply(as_host(host), elsewhere)
