# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a vmlinux made from a dump is as good as the debug one: the same asked on both.

``commands`` and ``questions`` are what crash and drgn are asked, ``sessions`` runs them,
``differences`` are the classes of what may differ and how each is checked, ``listed`` says which
command may differ in which way; ``page`` writes docs/vmlinux-table.md.
"""
