# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that follow from the commands as click declares them.

Manual pages, completion, and a page of docs/.
"""
