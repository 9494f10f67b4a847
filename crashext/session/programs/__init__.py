# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs for other extensions of crash that run Python; see docs/pykdump.md."""
