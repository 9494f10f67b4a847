# SPDX-License-Identifier: GPL-3.0-or-later
"""Debug information made from BTF: the DWARF 4 that crash, gdb and drgn read."""

from .unit import DebugInfo, debug_info

__all__ = ["DebugInfo", "debug_info"]
