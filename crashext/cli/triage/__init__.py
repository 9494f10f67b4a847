# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix triage``: the command line of many dumps."""
