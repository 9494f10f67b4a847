# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are recognised by their first bytes, but not read."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import UnknownFormat, UnsupportedDump
from .source import Source


class Known(NamedTuple):
    """A format we don't read: ``magic`` at ``offset``, its name, and what to do."""

    offset: int
    magic: bytes
    name: str
    advice: str = ""


_LIBVIRT = "dump the guest with `virsh dump --memory-only`"
_WINDOWS = "a Windows crash dump ({}); the guest is no Linux"
_DECOMPRESS = "decompress it first"

KNOWN = (
    Known(0, b"DISKDUMP", "a diskdump of the time before kdump"),
    Known(0, b"QEVM", "a QEMU migration stream, as `virsh dump` writes it", _LIBVIRT),
    Known(0, b"LibvirtQemudSave", "a libvirt save image (`virsh save`)", _LIBVIRT),
    Known(0, b"LibvirtQemudPart", "an unfinished libvirt save image", _LIBVIRT),
    Known(0, b"PAGEDU64", _WINDOWS.format("64-bit")),
    Known(0, b"PAGEDUMP", _WINDOWS.format("32-bit")),
    Known(0, b"\x1f\x8b", "compressed with gzip", _DECOMPRESS),
    Known(0, b"BZh", "compressed with bzip2", _DECOMPRESS),
    Known(0, b"\xfd7zXZ\0", "compressed with xz", _DECOMPRESS),
    Known(0, b"\x28\xb5\x2f\xfd", "compressed with zstd", _DECOMPRESS),
    Known(0, b"\x89LZO\0\r\n\x1a\n", "compressed with lzop", _DECOMPRESS),
    Known(0, b"QFI\xfb", "a qcow2 disk image, not a memory dump"),
)


def refuse(source: Source) -> UnknownFormat | UnsupportedDump:
    """The error for a file that no format claimed."""
    start = source.pread(0, 4096)
    for offset, magic, name, advice in KNOWN:
        if start.startswith(magic, offset):
            text = f"this is {name}, which is not read here"
            return UnsupportedDump(f"{text}: {advice}" if advice else text, path=source.path)
    return UnknownFormat(
        f"not a memory dump that is known here (it starts with {start[:8].hex(' ')})",
        path=source.path,
    )
