# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of one image are worth together; docs/security.md has the reasons."""

from __future__ import annotations

from ..image import accounting, body
from ..image.checks import accounts_for_itself
from ..image.image import Image
from ..result import Confidence

SOUND: tuple[Confidence, ...] = ("strong", "certain")


def confidence(image: Image) -> Confidence:
    """How far ``image`` can be trusted to be a kernel that lies there.

    Page tables that a vCPU runs on are beyond a program's reach. Without them everything
    a program could lay out in its own pages counts as text: then the body of the image
    has to be a kernel's as well, and without a vmlinux to compare it with the kernel has
    to account for the rest of memory.
    """
    held, failed = set(image.held), set(image.failed)
    if failed & {*image.own_checks, body.NAME} or not (held or image.proposals):
        return "none"
    if failed & {"linux_banner", "build_id"} or not held:
        return "weak"
    if image.cpus or (image.arch.linear and image.witnesses):
        return _of_live(image, held)
    if image.captured_by is not None and image.captured_by.running:
        return _of_crashed(image, held)
    return (
        _with_vmlinux(image, held)
        if image.matches_vmlinux and image.can_be_compared
        else _alone(image)
    )


def _of_live(image: Image, held: set[str]) -> Confidence:
    if "linux_banner" in held and image.has_all_symbols and held & set(image.own_checks):
        return "certain"
    # Where no symbol says where the image starts, tables of which a part is lost may mislead.
    return "strong" if len(held) > 1 and image.has_symbols else "weak"


def _of_crashed(image: Image, held: set[str]) -> Confidence:
    """The capture kernel, which a vCPU runs in, and this one bear each other out."""
    if "linux_banner" not in held or not set(image.own_checks) <= held:
        return "weak"
    return "certain" if image.can_be_compared else "strong"


def _with_vmlinux(image: Image, held: set[str]) -> Confidence:
    """No vCPU vouches for it, but it can be compared with its own vmlinux."""
    placement, top_table = image.own_checks
    # Where a body is says nothing of how it is mapped, and its variable may be where the
    # placement was read: tables have to agree, its own or, with the variable, a vCPU's.
    if top_table not in held and not (image.partial_cpus and placement in held):
        return "weak"
    if body.NAME in held:
        sure = {"linux_banner", placement, accounting.DIRECT_MAP} <= held
        return "certain" if sure else "strong"
    # The pages that could be compared are not in the dump: a program can't do that.
    known = {"linux_banner", "build_id", placement} <= held
    return "strong" if known and image.checks[body.NAME].held is None else "weak"


def _alone(image: Image) -> Confidence:
    """Neither vCPU nor vmlinux: the kernel has to account for the rest of memory."""
    return "strong" if accounts_for_itself(image) else "weak"


def is_rival(image: Image) -> bool:
    """True for what may be a kernel too, damaged perhaps: one is not preferred to it lightly.

    Forging a rival takes the body of a kernel; a few planted pages are none. Where the
    body is not in the dump, more than one of its other traces must be there.
    """
    if image.matches_vmlinux is False:
        return False
    whole = image.checks.get(body.NAME)
    if whole is None:
        return bool(image.running)
    # A placement that was read from the variable itself bears nothing out.
    traces = set(image.held) - {image.arch.placements[0]}
    return bool(whole.held) or (whole.held is None and len(traces) > 1)
