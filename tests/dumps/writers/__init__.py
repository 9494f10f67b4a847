# SPDX-License-Identifier: GPL-3.0-or-later
"""Writers of small dumps. They declare the headers by offset, apart from the reader's structs."""
