# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps as they come: a run that doesn't end, and the command for each."""
