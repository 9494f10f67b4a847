# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about a kernel build: its symbols, banner and build ID."""
