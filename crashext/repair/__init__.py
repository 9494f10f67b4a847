# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a dump right for every tool: what is wrong with it, and a file or view that is not.

``facts`` learns what a right dump would say, from the guest's memory; ``headers`` is that
as data. A dump is mended by an ``overlay`` of a few KB over its own bytes, in place, in a
copy or in a view, or it is written anew in another format (``write/``).
"""
