# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as one self-contained page, and its memory map as a picture."""
