# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened in a guest: facts of a located kernel, as text and as JSON."""
