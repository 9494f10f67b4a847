# SPDX-License-Identifier: GPL-3.0-or-later
"""The committed samples: which of the lab's dumps are cut, and into what."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crashext import open_dump

from .cut import cut, shrink
from .cut_capture import cut_capture
from .derived import DERIVED
from .errors import LabError
from .guests import DUMPS
from .recorder import PAGE
from .scenario import Format
from .scenarios import SCENARIOS

SAMPLES = Path(__file__).parent.parent / "sample_dumps"
#: What these guests planted, hundreds of pages, is what their dumps are for.
_TOO_LARGE = "sprayed-"
_CAPTURES = ("mapped-ram", "stream-arm64", "stream-xbzrle")
_MOST_BYTES = 440 << 10


@dataclass(frozen=True, slots=True)
class Cut:
    """One sample; ``ram_below`` and ``kallsyms`` as for :func:`lab.cut.cut`."""

    format: Format
    ram_below: int | None = None
    kallsyms: bool = False


# A plain kdump stores its bitmaps as they are: without the ROM below 4 GiB they are small.
_PLAIN = Cut("kdump", ram_below=2 << 30)
# What differs from the rule that each scenario gives one flattened kdump.
_CUTS: dict[str, tuple[Cut, ...]] = {
    "ovmf-kaslr": (Cut("elf"), Cut("flat"), _PLAIN),
    "ovmf-la57": (Cut("elf"),),
    # A small kernel: its symbol table fits, and lets every check run without a vmlinux.
    "odd-kernel": (Cut("flat", kallsyms=True),),
    # The bitmaps of much RAM are large in themselves.
    "ram-6g": (Cut("elf"),),
    "ram-16g": (Cut("elf"),),
    "ram-64g": (Cut("elf"),),
    "ovmf-vmcoreinfo": (Cut("elf"), Cut("flat")),
    "seabios-kaslr": (_PLAIN,),
}


def make_samples(names: list[str], say: Callable[[str], None], *, out: Path = SAMPLES) -> None:
    """Cut the dumps of these names, or all that have been made.

    Raises:
        LabError: a named one has not been made, or a sample came out too large.
    """
    like_others = ("qemu", "versions")
    every = [
        s.name
        for s in SCENARIOS
        if not s.name.startswith(_TOO_LARGE) and s.group not in like_others
    ]
    every += [d.name for d in DERIVED]
    for name in names or every:
        if (DUMPS / f"{name}.json").exists():
            _make(name, say, out)
        elif names:
            raise LabError(f"{name}: no dump yet (python3 -m lab dumps {name})")


def _make(name: str, say: Callable[[str], None], out: Path) -> None:
    truth: dict[str, Any] = json.loads((DUMPS / f"{name}.json").read_text())
    if truth.get("captures"):
        _make_capture(name, truth, say, out)
        return
    vmlinuxes = [(DUMPS / vmlinux).resolve() for vmlinux in truth["vmlinuxes"]]
    sources = {Path(dump).suffix: DUMPS / dump for dump in truth["dumps"]}
    files = []
    stand_ins = [out / vmlinux.name for vmlinux in vmlinuxes]
    for vmlinux, stand_in in zip(vmlinuxes, stand_ins, strict=True):
        shrink(vmlinux, stand_in)
    for each in _CUTS.get(name, (_usual(sources),)):
        sample = out / f"{name}.{each.format}"
        source = sources.get(sample.suffix) or sources[".kdump"]
        size = cut(
            *(source, vmlinuxes, sample),
            stand_ins=stand_ins, ram_below=each.ram_below, kallsyms=each.kallsyms,
        )  # fmt: skip
        if size > _MOST_BYTES:
            raise LabError(f"{sample.name}: {size} bytes are too many for a sample")
        say(f"{sample.name}: {size} bytes")
        files.append(sample.name)
    facts = {**_beside(truth), "dumps": files, "kernels": [_beside(k) for k in truth["kernels"]]}
    (out / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")


def _make_capture(name: str, truth: dict[str, Any], say: Callable[[str], None], out: Path) -> None:
    """A file that is no dump; those that are like another one are left alone."""
    if name not in _CAPTURES:
        return
    vmlinux = (DUMPS / truth["vmlinux"]).resolve()
    sample = out / f"{name}.qevm.zst"
    shrink(vmlinux, out / vmlinux.name)
    size = cut_capture(DUMPS / truth["captures"][0], vmlinux, out / vmlinux.name, sample)
    if size > _MOST_BYTES:
        raise LabError(f"{sample.name}: {size} bytes are too many for a sample")
    say(f"{sample.name}: {size} bytes")
    facts = {**_beside(truth), "dumps": [], "captures": [sample.name]}
    facts["kernels"] = [_beside(kernel) for kernel in truth["kernels"]]
    (out / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")


def _usual(sources: dict[str, Path]) -> Cut:
    """A flattened kdump, but where its blocks are larger than what is cut, or there is none."""
    if ".kdump" not in sources:
        return Cut("elf")
    with open_dump(str(sources[".kdump"])) as dump:
        return Cut("flat" if dump.page_size == PAGE else "elf")


def _beside(facts: dict[str, Any]) -> dict[str, Any]:
    """The same facts with each vmlinux beside the truth."""
    changed: dict[str, Any] = {}
    if "vmlinux" in facts:
        changed["vmlinux"] = Path(facts["vmlinux"]).name
    if "vmlinuxes" in facts:
        changed["vmlinuxes"] = [Path(vmlinux).name for vmlinux in facts["vmlinuxes"]]
    return {**facts, **changed}
