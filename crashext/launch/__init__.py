# SPDX-License-Identifier: GPL-3.0-or-later
"""From a dump to a prompt: which vmlinux, which file the tool is given, which program it is.

``case`` is what is known of the dump, ``crash``, ``drgn`` and ``gdb`` say what each tool takes
and how it is started, ``given`` makes what it takes, ``run`` starts it.
"""
