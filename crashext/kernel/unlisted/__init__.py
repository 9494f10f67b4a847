# SPDX-License-Identifier: GPL-3.0-or-later
"""Symbols that kallsyms does not list: data, in kernels built without CONFIG_KALLSYMS_ALL."""
