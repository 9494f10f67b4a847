# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds that one full search takes: ``python -m bench.search JOB FILE``.

``ours`` is the way of crashext.locate to VMCOREINFO, ``headers`` that to image headers,
``naive`` the loop of bench.naive. All search the same file; the interpreter's start and
imports are not counted.
"""

from __future__ import annotations

import sys
import time

import crashext
from bench import naive
from crashext.arch import architecture_of
from crashext.locate.context import Context
from crashext.locate.memory import PhysMemory
from crashext.locate.ways.vmcoreinfo_memory import texts


def ours(path: str) -> int:
    """VMCOREINFO texts in the dump, as the search finds them."""
    with crashext.open_dump(path) as dump:
        arch = architecture_of(dump.arch)
        assert arch is not None
        return len(list(texts(Context(dump, PhysMemory(dump.read), arch))))


def headers(path: str) -> int:
    """Images in the dump that still have their header, as the search finds them."""
    with crashext.open_dump(path) as dump:
        arch = architecture_of(dump.arch)
        assert arch is not None and arch.image_magic is not None
        return len(list(dump.places(arch.image_align, *arch.image_magic)))


JOBS = {"ours": ours, "headers": headers, "naive": naive.count}

if __name__ == "__main__":
    job, path = JOBS[sys.argv[1]], sys.argv[2]
    start = time.perf_counter()
    if not job(path):
        sys.exit(f"bench: nothing found in {path}")
    print(time.perf_counter() - start)
