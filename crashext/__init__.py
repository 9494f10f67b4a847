# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the Linux kernel in a QEMU guest-memory dump, and put a crash session right."""

from __future__ import annotations

__version__ = "0.1.0"
