# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a fleet, self-contained: incidents, kernels, failures, and a table of all dumps."""
