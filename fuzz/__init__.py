# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzzing the dump readers; see ``python -m fuzz --help``."""
