# SPDX-License-Identifier: GPL-3.0-or-later
"""The committed samples: which of the lab's dumps are cut, and into what."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cut import cut, shrink
from .errors import LabError
from .guests import DUMPS, dump_file
from .scenarios import SCENARIOS, Format, Scenario

SAMPLES = Path(__file__).parent.parent / "sample_dumps"
_MOST_BYTES = 200 << 10


@dataclass(frozen=True, slots=True)
class Cut:
    """One sample. ``ram_below`` leaves out RAM (and ROM) from that address on."""

    format: Format
    ram_below: int | None = None


# A plain kdump stores its bitmaps as they are: without the ROM below 4 GiB they are small.
_PLAIN = Cut("kdump", ram_below=2 << 30)
# What differs from the rule that each scenario gives one flattened kdump.
_CUTS: dict[str, tuple[Cut, ...]] = {
    "ovmf-kaslr": (Cut("elf"), Cut("flat"), _PLAIN),
    "ovmf-la57": (Cut("elf"),),
    "ovmf-vmcoreinfo": (Cut("elf"), Cut("flat")),
    "seabios-kaslr": (_PLAIN,),
}


def make_samples(names: list[str], say: Callable[[str], None], *, out: Path = SAMPLES) -> None:
    """Cut the dumps of these scenarios, or of all that have been made.

    Raises:
        LabError: a named one has not been made, or a sample came out too large.
    """
    for scenario in SCENARIOS:
        made = (DUMPS / f"{scenario.name}.json").exists()
        if names and scenario.name in names and not made:
            raise LabError(f"{scenario.name}: no dump yet (python3 -m lab dumps {scenario.name})")
        if made and (not names or scenario.name in names):
            _make(scenario, say, out)


def _make(scenario: Scenario, say: Callable[[str], None], out: Path) -> None:
    truth: dict[str, Any] = json.loads((DUMPS / f"{scenario.name}.json").read_text())
    vmlinuxes = [(DUMPS / name).resolve() for name in truth["vmlinuxes"]]
    files = []
    for each in _CUTS.get(scenario.name, (Cut("flat"),)):
        sample = out / dump_file(scenario, each.format).name
        source = _source(scenario, each.format)
        size = cut(source, vmlinuxes, sample, ram_below=each.ram_below)
        if size > _MOST_BYTES:
            raise LabError(f"{sample.name}: {size} bytes are too many for a sample")
        say(f"{sample.name}: {size} bytes")
        files.append(sample.name)
    for vmlinux in vmlinuxes:
        if not (out / vmlinux.name).exists():
            say(f"{vmlinux.name}: {shrink(vmlinux, out / vmlinux.name)} bytes")
    small = {"dumps": files, "vmlinux": vmlinuxes[0].name}
    small["vmlinuxes"] = [vmlinux.name for vmlinux in vmlinuxes]
    (out / f"{scenario.name}.json").write_text(json.dumps({**truth, **small}, indent=1) + "\n")


def _source(scenario: Scenario, wanted: Format) -> Path:
    """The dump to cut; a flattened sample may as well come from a plain kdump."""
    for name in (wanted, "kdump" if wanted == "flat" else wanted):
        path = DUMPS / f"{scenario.name}.{name}"
        if path.exists():
            return path
    raise LabError(f"{scenario.name}: has no {wanted} dump")
