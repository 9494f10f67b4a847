# SPDX-License-Identifier: GPL-3.0-or-later
"""The types of global variables, which BTF lacks: from a table, as far as the kernel's own fit."""

from .find import globals_of
from .measure import Place

__all__ = ["Place", "globals_of"]
