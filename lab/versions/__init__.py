# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/versions.md: which crash, Python, QEMU and kernel were tried together, and what worked.

``systems`` says where crash and Python come from, ``plugin`` builds for a pair of them,
``session`` puts one session right and compares it with one that was started right, ``course``
goes through the combinations and keeps what came of them, ``page`` writes it down.
"""
