# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the images found is the answer, and how far it can be trusted."""
