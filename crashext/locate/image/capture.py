# SPDX-License-Identifier: GPL-3.0-or-later
"""Is this a kdump (capture) kernel, and did that other kernel crash before it?

A capture kernel is told by its command line where the crashed kernel's ELF header lies,
and keeps the address in ``elfcorehdr_addr`` (kernel/crash_dump.c). A single number is
easily written, so both have to say it. And the kernel that crashed has to have known of
it: it set the memory aside that the capture kernel lies in (``crashk_res``,
kernel/kexec_core.c), and it noted the CPU that crashed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...arch.base import Evidence
from ..context import Context
from . import accounting, vmcoreinfo_data
from .image import Image
from .kernel_memory import kernel_text, variable, variable32, variable64

#: kernel/crash_dump.c: ELFCORE_ADDR_MAX, no header given; ELFCORE_ADDR_ERR, used or unusable.
_NOT_GIVEN, _USED = (1 << 64) - 1, (1 << 64) - 2
_OPTION = re.compile(rb"(?:^| )elfcorehdr=(?:\w+@)?(0x[0-9a-fA-F]{1,16}|[0-9]{1,20})([KMGkmg]?)")
_UNITS = {b"": 0, b"K": 10, b"M": 20, b"G": 30}
_MAX_COMMAND_LINE = 4096
_NO_CPU = (1 << 32) - 1


def variable_is_set(context: Context, image: Image) -> bool:
    """True when ``elfcorehdr_addr`` names an address, or was used."""
    return variable64(context, image, "elfcorehdr_addr") not in (None, 0, _NOT_GIVEN)


def header_paddr(context: Context, image: Image) -> int | None:
    """Where ``image`` was told its predecessor's ELF header is; None if it is no capture kernel.

    Sets ``image.is_no_capture`` where that is sure: the command line and the variable
    don't contradict each other, or the kernel manages most of RAM, which no capture
    kernel does.
    """
    value = variable64(context, image, "elfcorehdr_addr")
    lacks_it = image.has_all_symbols and image.vaddr("elfcorehdr_addr") is None
    unset = value == _NOT_GIVEN or lacks_it
    if unset and context.cpus and not image.running:
        return None  # whether it was one is no matter: no vCPU runs in it
    line = _command_line(context, image)
    told = None if line is None else _from_command_line(line)
    if told is not None:
        return told
    unknown = value is None and accounting.DIRECT_MAP in image.held
    image.is_no_capture = (
        unset or unknown or (value is not None and _manages_ram(context, image, line))
    )
    if unset or value in (None, 0):
        return None
    if image.is_no_capture:
        context.warn(
            f"elfcorehdr_addr of the kernel at {image.id} is set, but its command line has no "
            "elfcorehdr=, and it manages most of RAM: no capture kernel"
        )
    return None if image.is_no_capture or value == _USED else value


def took_over(context: Context, image: Image) -> bool:
    """True for a capture kernel that no longer tells where its predecessor's header is.

    Where the device tree told it, its command line does not, and the variable is marked as
    used once /proc/vmcore has been set up.
    """
    return not image.is_no_capture and variable64(context, image, "elfcorehdr_addr") == _USED


def _manages_ram(context: Context, image: Image, line: bytes | None) -> bool:
    """True for a kernel with a command line of its own that maps most of RAM."""
    if line is None:
        return False
    for evidence in accounting.checks(context, image):
        if evidence.name == accounting.DIRECT_MAP:
            return bool(evidence.held)
    return False


def _command_line(context: Context, image: Image) -> bytes | None:
    """What ``saved_command_line`` points at, None where that is no text."""
    pointer = variable(context, image, "saved_command_line")
    if not pointer:
        return None
    line = kernel_text(context, image, pointer, _MAX_COMMAND_LINE)
    return line if line and all(0x20 <= byte < 0x7F or byte in b"\t\n" for byte in line) else None


def _from_command_line(line: bytes) -> int | None:
    match = _OPTION.search(line)
    if match is None:
        return None
    return (
        int(match.group(1), 0 if match.group(1)[:2] == b"0x" else 10)
        << _UNITS[match.group(2).upper()]
    )


def lineage(context: Context, capture: Image, crashed: Image) -> Iterator[Evidence]:
    """What the memory of ``crashed`` says of having crashed, and of ``capture``."""
    place, start, end = capture.text_paddr, *_reserved(context, crashed)
    if place is not None and start is not None and end is not None:
        yield Evidence(
            "crashk_res",
            f"{start:#x}-{end:#x} was set aside; the capture kernel is at {place:#x}",
            start <= place <= end,
        )
    noted = [variable32(context, crashed, name) for name in ("panic_cpu", "crashing_cpu")]
    known = [cpu for cpu in noted if cpu is not None]
    if known:
        cpus = [cpu for cpu in known if cpu != _NO_CPU]
        words = f"vCPU {cpus[0]} crashed" if cpus else "no CPU of it crashed"
        yield Evidence("panic_cpu", words, bool(cpus))
    info = vmcoreinfo_data.info(context, crashed)
    if info is not None and "CRASHTIME" in info.values:
        yield Evidence("CRASHTIME", info.values["CRASHTIME"], True)


def _reserved(context: Context, image: Image) -> tuple[int | None, int | None]:
    """The first and last address of ``crashk_res``, a struct resource."""
    vaddr = image.vaddr("crashk_res")
    if vaddr is None:
        return None, None
    at, word = image.paddr(vaddr), context.arch.word
    return context.memory.word(at), context.memory.word(at + word)
