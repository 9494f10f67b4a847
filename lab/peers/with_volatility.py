# SPDX-License-Identifier: GPL-3.0-or-later
"""volatility3's path through a banner and VMCOREINFO.

That is in guest memory: of a dump it needs the layer of physical memory alone, which it has for
ELF and for no kdump. What goes beyond needs a table of symbols that it does not come with.
"""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from tempfile import TemporaryDirectory

from .case import Case, Outcome, Values, asked, line_of

TOOL = "volatility3"
_START = "import sys, volatility3.cli; sys.argv[0] = 'vol'; volatility3.cli.main()"


def ask(case: Case) -> Outcome:
    """The release that VMCOREINFO tells, and the banner at its place in memory."""
    if find_spec("volatility3") is None:
        return Outcome(TOOL, None, problem="volatility3 is not installed")
    if case.format != "elf":
        return Outcome(TOOL, None, problem="volatility3 reads no kdump")
    told = _plugin(case, "linux.vmcoreinfo.VMCoreInfo", r"^\S+\tOSRELEASE\t(\S+)$")
    seen = _plugin(case, "banners.Banners", rf"^{case.paddr(case.banner_vaddr):#x}\t(.*)$")
    lacking = [name for name, (text, _) in (("VMCOREINFO", told), ("banner", seen)) if not text]
    values = Values(release=told[0], banner=seen[0])
    problem = f"finds no {' and no '.join(lacking)}" if lacking else None
    return Outcome(TOOL, not lacking, values, problem)


def _plugin(case: Case, name: str, pattern: str) -> tuple[str | None, str]:
    with TemporaryDirectory(prefix="lab-") as cache:
        options = ["-q", "--offline", "--cache-path", cache, "-f", case.dump]
        done = asked([sys.executable, "-c", _START, *options, name], seconds=200)
    match = re.search(pattern, done.out, re.MULTILINE)
    return (match[1].strip() if match else None), line_of(done.err)
