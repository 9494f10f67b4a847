# SPDX-License-Identifier: GPL-3.0-or-later
"""How Sphinx makes the pages: ``make docs``."""

project = "qemufix"
author = "the qemufix authors"
copyright = "the qemufix authors, GPL-3.0-or-later"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "qemufix"
html_show_sphinx = False
html_copy_source = False
exclude_patterns = ["man"]
myst_heading_anchors = 3
nitpicky = True
# A network is asked by `make docs-links` alone.
linkcheck_timeout = 20
