# SPDX-License-Identifier: GPL-3.0-or-later
"""Measurements of speed, as ratios (``make bench``)."""
