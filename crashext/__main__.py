# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m crashext``: the same as ``qemufix``."""

from .cli import main

main()
