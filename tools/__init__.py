# SPDX-License-Identifier: GPL-3.0-or-later
"""What the project is worked on with; none of it is installed."""
