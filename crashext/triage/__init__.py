# SPDX-License-Identifier: GPL-3.0-or-later
"""Many dumps where they lie: docs/triage.md.

``work.row_of(url, limits)`` looks at one and gives plain data; ``engines`` only map it over
many. ``places`` says which there are, ``store`` keeps what was seen, ``groups`` tells what belongs
together, ``watch`` goes on with what comes.
"""
