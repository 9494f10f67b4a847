# SPDX-License-Identifier: GPL-3.0-or-later
"""One kernel image in guest memory, and the checks that bear it out or refute it."""
