# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a kernel that was located: its virtual memory, its name, what it says of itself."""
