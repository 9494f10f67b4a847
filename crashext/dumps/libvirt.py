# SPDX-License-Identifier: GPL-3.0-or-later
"""libvirt's save image (``virsh save``, managedsave): a header, XML, and QEMU's stream.

"sparse" is QEMU's mapped-ram, whose offsets count from the file's beginning.

Layout: libvirt src/qemu/qemu_saveimage.h, ``virQEMUSaveHeader``, in the byte order of
the host that wrote it.
"""

from __future__ import annotations

import struct

from ..errors import CorruptDump, UnsupportedDump
from .source import Source, Window

_HEADER = 92
_COMPRESSIONS = {0: "raw", 1: "gzip", 2: "bzip2", 3: "xz", 4: "lzop", 5: "zstd", 6: "sparse"}
_READABLE = {"raw", "gzip", "bzip2", "xz", "zstd", "sparse"}


def stream_of(source: Source) -> Source:
    """What lies behind the XML of the save image ``source``: the stream, perhaps compressed.

    Raises:
        CorruptDump, UnsupportedDump: the header is absurd, or its compression isn't read.
    """
    raw = source.exactly(16, 16, "libvirt's save header")
    order = "<" if int.from_bytes(raw[:4], "little") < 1 << 16 else ">"
    version, size, _was_running, number = struct.unpack(order + "4I", raw)
    compression = _COMPRESSIONS.get(number, f"number {number}")
    if version not in (1, 2) or compression not in _READABLE:
        raise UnsupportedDump(
            f"a libvirt save image of version {version} with compression {compression}, "
            "which is not read here: dump the guest with `virsh dump --memory-only`",
            path=source.path,
        )
    if _HEADER + size >= source.size:
        raise CorruptDump(
            f"the libvirt save image ends inside its {size} bytes of XML", path=source.path
        )
    return Window(source, _HEADER + size)
