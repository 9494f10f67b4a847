# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing the made vmlinux: an ELF executable with sections, symbols and debug information."""
