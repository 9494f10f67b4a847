# SPDX-License-Identifier: GPL-3.0-or-later
"""A vmlinux made from guest memory: the kernel's own symbols and types, as tools take them."""
