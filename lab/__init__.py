# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab: boots real guests under QEMU, dumps them and keeps what they said of themselves."""
