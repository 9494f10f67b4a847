# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of all kernel images found, as people and programs are shown it."""

from __future__ import annotations

from typing import Any

from ...text import hex64, printable
from ..choice.choose import listed, told
from ..choice.confidence import SOUND, confidence
from ..context import Context
from ..image.image import Image
from ..image.kernel_memory import variable32

_INVALID_CPU = (1 << 32) - 1


def describe(context: Context, images: list[Image], chosen: Image | None) -> list[dict[str, Any]]:
    """One JSON object for each image, by physical place; ``id`` is what ``--kernel`` takes."""
    return [
        {
            "index": index,
            "id": image.id,
            "chosen": image is chosen,
            "state": state(context, image),
            "boot_state": boot_state(context, image),
            "vcpus": image.running,
            "phys_base": _hex(image.arch.phys_base(image.voffset)),
            "kimage_voffset": hex64(image.voffset),
            "kaslr_offset": _hex(image.kaslr_offset),
            "text_vaddr": _hex(image.named_text),
            "text_paddr": _hex(None if image.named_text is None else image.paddr(image.named_text)),
            "release": None if image.release is None else printable(image.release),
            "banner": None if image.banner is None else printable(image.banner.strip()),
            "build_id": image.build_id,
            "matches_vmlinux": image.matches_vmlinux,
            "confidence": confidence(image),
            "confirmed_by": list(image.held),
        }
        for index, image in enumerate(listed(images))
    ]


def describe_vcpus(context: Context, images: list[Image]) -> list[dict[str, Any]]:
    """Where each vCPU of the dump is: its mode, and the kernel whose tables it runs on.

    ``kernel`` is an index of the list of kernels, null for none or where it can't be
    told; ``in_image`` says whether the program counter lies in the window of kernel images.
    """
    kernels = listed(images)
    return [
        {
            "index": cpu.number,
            "mode": cpu.mode,
            **{name: hex64(value) for name, value in cpu.registers.items()},
            "in_image": context.arch.is_image_vaddr(cpu.pc),
            "kernel": next(
                (n for n, image in enumerate(kernels) if cpu.number in image.running), None
            ),
        }
        for cpu in context.cpus
    ]


def state(context: Context, image: Image) -> str:
    """What an image is to this guest now.

    "capture": a kdump kernel that runs; "crashed": the one it was started for; "live":
    a vCPU runs in it; "stale": the vCPUs are elsewhere; "unverified": too little in memory
    bears it out; "intact": no vCPU state tells whether it runs.
    """
    if confidence(image) not in SOUND:
        return "unverified"
    if image.captured_by is not None:
        return "crashed"
    if image.running:
        return "capture" if image.is_capture else "live"
    return "stale" if any(told(context, cpu) for cpu in context.cpus) else "intact"


def boot_state(context: Context, image: Image) -> str | None:
    """How far the kernel got: "booting", "up" or "panicked"; None if it can't be told.

    ``panic_cpu`` (kernel/panic.c) is -1 until a CPU panics; ``system_state``
    (include/linux/kernel.h) is 0 until the scheduler starts.
    """
    if confidence(image) not in SOUND:
        return None
    panic_cpu, system_state = (
        variable32(context, image, "panic_cpu"),
        variable32(context, image, "system_state"),
    )
    if panic_cpu is not None and panic_cpu != _INVALID_CPU:
        return "panicked"
    if system_state is None:
        return None
    return "up" if system_state else "booting"


def _hex(value: int | None) -> str | None:
    return None if value is None else hex64(value)
