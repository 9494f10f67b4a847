# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are recognised by their first bytes, but not read."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import UnknownFormat, UnsupportedDump
from .magic import COMPRESSED, DUMPS


class Known(NamedTuple):
    """A format we don't read: ``magic`` at ``offset``, its name, and what to do."""

    offset: int
    magic: bytes
    name: str
    advice: str = ""


_AGAIN = "dump the guest anew with `virsh dump --memory-only` or QEMU's dump-guest-memory"
_WINDOWS = "a Windows crash dump ({}), as QEMU's win-dmp writes it: the guest is no Linux"
_DECOMPRESS = "decompress it first"
_VMWARE = "a VMware suspended or snapshot state ({})"
_VMWARE_ADVICE = "crash and VMware's vmss2core read it, together with its .vmem file"
_LKCD = "an LKCD dump"
_LKCD_ADVICE = "crash reads it"

KNOWN = (
    Known(0, b"DISKDUMP", "a diskdump of the time before kdump", "crash reads it"),
    Known(0, b"diskdump", "a diskdump partition", "save it with `savecore` first"),
    Known(0, b"sadump\0\0", "a dump by Fujitsu's sadump", "crash and makedumpfile read it"),
    Known(0, b"\xa8\x19\x01\x73\x61\x8f\x23\xfd", "an s390 stand-alone dump", "crash reads it"),
    Known(0, b"\xa8\x19\x01\x73\x61\x8f\x23\xed", _LKCD, _LKCD_ADVICE),
    Known(0, b"\xed\x23\x8f\x61\x73\x01\x19\xa8", _LKCD, _LKCD_ADVICE),
    Known(0, b"\xcd\x23\x8f\x61\x73\x01\x19\xa8", f"{_LKCD} of a live system", _LKCD_ADVICE),
    Known(0, b"\xdd\xcc\x8b\x9a", "a Mission Critical Linux crash dump", _LKCD_ADVICE),
    Known(0, b"LinuxGuestRecord", "a Xen guest saved by `xm save`", "crash reads it"),
    Known(0, b"Xen saved domain", "a Xen guest saved by `xl save`", "use `xl dump-core`"),
    Known(0, b"\xed\xeb\x0f\xf0", "an old Xen core dump (`xm dump-core`)", "crash reads it"),
    Known(0, b"\xee\xeb\x0f\xf0", "an old Xen core dump (HVM)", "crash reads it"),
    Known(0, b"\xd0\xbe\xd0\xbe", _VMWARE.format("vmss, old"), _VMWARE_ADVICE),
    Known(0, b"\xd2\xbe\xd2\xbe", _VMWARE.format("vmss or vmsn"), _VMWARE_ADVICE),
    Known(0, b"\xd3\xbe\xd3\xbe", _VMWARE.format("partial"), _VMWARE_ADVICE),
    Known(0, b"\xd1\xba\xd1\xba", _VMWARE.format("restored"), _VMWARE_ADVICE),
    Known(0, b"\xd2\xba\xd2\xba", _VMWARE.format("not to be restored"), _VMWARE_ADVICE),
    Known(0, b"\x7fVirtualBox SavedState ", "a VirtualBox saved state",
          "use `VBoxManage debugvm VM dumpvmcore`"),
    Known(0, b"\x14\x20\x28\x01", "a Hyper-V saved state (vmrs or vmcx)",
          "convert it with Microsoft's vm2core"),
    Known(0, b"PAGEDU64", _WINDOWS.format("64-bit")),
    Known(0, b"PAGEDUMP", _WINDOWS.format("32-bit")),
    Known(0, b"MDMP", "a Windows minidump"),
    Known(0, b"QFI\xfb", "a qcow2 disk image; a snapshot inside it may hold the guest's memory",
          "load the snapshot in QEMU and dump the guest"),
    Known(0, b"\x89LZO\0\r\n\x1a\n", "compressed with lzop", _DECOMPRESS),
    Known(0, b"\x04\x22\x4d\x18", "compressed with lz4", _DECOMPRESS),
    Known(0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    Known(0, b"PK\x03\x04", "a zip archive", "unpack it first"),
    Known(257, b"ustar", "a tar archive", "unpack it first"),
    Known(0, b"LibvirtQemudPart", "an unfinished libvirt save image", _AGAIN),
)  # fmt: skip


_SHORTEST, _PAGE = 2, 4096


def refusal(start: bytes, path: str, size: int | None = None) -> UnknownFormat | UnsupportedDump:
    """The error for a file that no format claimed, from its first bytes and its size."""
    for magic, name in (*DUMPS.items(), *COMPRESSED.items()):
        if len(start) >= _SHORTEST and magic.startswith(start):
            text = f"cut off after {len(start)} bytes: it begins as {name} does"
            return UnknownFormat(text, path=path)
    for offset, magic, name, advice in KNOWN:
        if start.startswith(magic, offset):
            text = f"this is {name}, which is not read here"
            return UnsupportedDump(f"{text}: {advice}" if advice else text, path=path)
    text = f"not a memory dump that is known here (it starts with {start[:8].hex(' ')})"
    if size and size % _PAGE == 0:
        text += "; plain memory (pmemsave, a memory-backend-file) is read with --format raw"
    return UnknownFormat(text, path=path)
