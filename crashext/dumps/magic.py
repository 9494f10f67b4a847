# SPDX-License-Identifier: GPL-3.0-or-later
"""The first bytes of what is read here, and what each is called."""

from __future__ import annotations

from . import elf_types, flattened, kdump_types

#: "QEVM" and the version: QEMU's QEMU_VM_FILE_MAGIC; libvirt's LIBVIRT_QEMU_SAVE_MAGIC.
QEVM, SAVE = b"QEVM", b"LibvirtQemudSave"
#: LiME's "LiMEe" as little-endian number, and AVML's own in the same header.
LIME, AVML = b"EMiL", b"AVML"

#: Dumps, as they are or in one of the containers.
DUMPS = {
    kdump_types.SIGNATURE: "a kdump file",
    flattened.SIGNATURE: "a flattened dump",
    elf_types.MAGIC: "an ELF file",
    QEVM: "a migration stream",
    SAVE: "a libvirt save image",
    LIME: "a LiME file",
    AVML: "an AVML file",
}
#: Files compressed as a whole.
COMPRESSED = {
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ\0": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"\x50\x2a\x4d\x18": "a pzstd file",  # starts with a frame to be skipped
}
