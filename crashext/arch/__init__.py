# SPDX-License-Identifier: GPL-3.0-or-later
"""Architecture facts: one family of modules per architecture."""
