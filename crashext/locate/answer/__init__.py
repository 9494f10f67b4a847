# SPDX-License-Identifier: GPL-3.0-or-later
"""The outcome of a search, put into the words and fields of the answer."""
