# SPDX-License-Identifier: GPL-3.0-or-later
"""Where dumps lie: found, read at a price, written beside; on this machine or through fsspec."""
