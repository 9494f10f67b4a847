# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests that are sent into a file, which is no dump, and dumped at the same stop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..course import Dump, Migrate, Wait
from ..scenario import Scenario

_guest: Callable[..., Scenario] = partial(
    Scenario, group="captures", memory="256M", formats=("elf",)
)
_pc: Callable[..., Scenario] = partial(_guest, firmware="seabios", vcpus=2)
#: QEMU 9 and later has mapped-ram; that one is downloaded.
_newer: Callable[..., Scenario] = partial(_pc, qemu="newer", group="arch")


def _sent(*capabilities: str, saved: bool = False) -> tuple[Wait, Migrate, Dump]:
    return Wait(), Migrate(capabilities, saved=saved), Dump()


SCENARIOS: tuple[Scenario, ...] = (
    _pc("stream", "a migration stream of a stopped guest", course=_sent()),
    _guest(
        "stream-arm64",
        "the same of aarch64",
        arch="aarch64",
        vcpus=2,
        course=_sent(),
    ),
    _guest(
        "stream-xbzrle",
        "sent in rounds while it ran: pages as differences to what they were (XBZRLE)",
        firmware="seabios",
        cmdline="lab.action=dirty",
        course=(Wait(), Migrate(("xbzrle",), rounds=12)),
    ),
    _newer(
        "mapped-ram",
        "mapped-ram: each page at its own place",
        course=_sent("mapped-ram"),
    ),
    _newer(
        "mapped-multifd",
        "mapped-ram that several threads wrote",
        course=_sent("mapped-ram", "multifd"),
    ),
    _newer(
        "saved-sparse",
        "mapped-ram behind the header of libvirt's sparse save image",
        course=_sent("mapped-ram", saved=True),
    ),
)
