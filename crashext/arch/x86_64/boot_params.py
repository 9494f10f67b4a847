# SPDX-License-Identifier: GPL-3.0-or-later
"""What the boot loader's parameters, kept in ``boot_params``, tell of the KASLR offset.

Layout: Documentation/arch/x86/zero-page.rst and boot.rst.
"""

from __future__ import annotations

from ..base import Search, View
from .layout import is_kaslr_offset

_EFI_SIGNATURE, _EFI = 0x1C0, (b"EL64", b"EL32")
_HEADER, _HDRS = 0x202, b"HdrS"
_LOADFLAGS, _KASLR_FLAG = 0x211, 1 << 1
_PREF_ADDRESS = 0x258


def kaslr_offset(search: Search, image: View, kernel_map: int) -> int | None:
    """The offset, None where the parameters don't tell or were not copied yet.

    ``kernel_map`` is the address that physical address 0 is linked to have.

    A BIOS boot keeps the whole setup header, with pref_address: LOAD_PHYSICAL_ADDR,
    which _text was linked for. The EFI stub keeps of it only flags; where its KASLR
    flag is clear the kernel's addresses were not moved (boot/compressed/kaslr.c).
    """
    vaddr = image.vaddr("boot_params")
    data = None if vaddr is None else search.memory.get(image.paddr(vaddr), 4096)
    if data is None or image.text_vaddr is None:
        return None
    if data.startswith(_HDRS, _HEADER):
        linked = int.from_bytes(data[_PREF_ADDRESS : _PREF_ADDRESS + 8], "little")
        offset = image.text_vaddr - kernel_map - linked
        return offset if linked and is_kaslr_offset(offset) else None
    if data.startswith(_EFI, _EFI_SIGNATURE) and not data[_LOADFLAGS] & _KASLR_FLAG:
        return 0
    return None
