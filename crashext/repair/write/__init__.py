# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a dump anew: its memory page for page, its headers as :class:`Headers` has them.

``kdump_file`` and ``elf_file`` each write one format into a ``sink``, which is a file or a
flattened stream; ``copying`` has what needs no look at the pages.
"""
