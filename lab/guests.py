# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot one scenario's guest, wait until it is in the wanted state, dump it, keep its truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from . import initramfs, truth
from .errors import LabError, run
from .kernels import Kernel, get_kernel
from .machine import Machine
from .scenarios import Format, Scenario

DUMPS = Path(__file__).parent / "dumps"
SUFFIX: dict[Format, str] = {"elf": "elf", "flat": "flat", "kdump": "kdump"}
# Where Debian and others keep the UEFI firmware that QEMU takes with -bios.
_OVMF = ("/usr/share/ovmf/OVMF.fd", "/usr/share/qemu/OVMF.fd", "/usr/share/edk2/ovmf/OVMF.fd")

Say = Callable[[str], None]


def make(scenario: Scenario, say: Say, *, directory: Path = DUMPS) -> bool:
    """Make a scenario's dumps and truth unless they are there; return whether it did.

    Raises:
        LabError: the guest did not get into the wanted state; nothing is left behind
            but its console.
    """
    if _is_there(scenario, directory):
        say(f"{scenario.name}: in the cache")
        return False
    directory.mkdir(parents=True, exist_ok=True)
    kernel = get_kernel(scenario.kernel, say)
    say(f"{scenario.name}: booting ({scenario.shows})")
    console = directory / f"{scenario.name}.console"
    with (
        TemporaryDirectory(prefix="lab-") as boot,
        Machine(_options(scenario, kernel, Path(boot)), console) as machine,
    ):
        text = machine.wait_for(scenario.until, timeout=scenario.timeout)
        machine.qmp.execute("stop")
        _dump(scenario, machine, directory)
    facts = _facts(scenario, kernel, text, directory)
    _truth_file(scenario, directory).write_text(json.dumps(facts, indent=1) + "\n")
    say(f"{scenario.name}: dumped")
    return True


def dump_file(scenario: Scenario, which: Format, directory: Path = DUMPS) -> Path:
    """Where a scenario's dump of one format lies."""
    return directory / f"{scenario.name}.{SUFFIX[which]}"


def _truth_file(scenario: Scenario, directory: Path) -> Path:
    return directory / f"{scenario.name}.json"


def _is_there(scenario: Scenario, directory: Path) -> bool:
    """The truth is written last: where it is, the dumps are whole."""
    files = [dump_file(scenario, which, directory) for which in scenario.formats]
    return all(path.exists() for path in (_truth_file(scenario, directory), *files))


def _options(scenario: Scenario, kernel: Kernel, boot: Path) -> list[str]:
    initrd = boot / "initrd"
    initrd.write_bytes(initramfs.build(kernels=(kernel,)))
    devices = [word for device in scenario.devices for word in ("-device", device)]
    return [
        *("-machine", "q35", "-cpu", scenario.cpu, "-m", scenario.memory),
        *("-smp", str(scenario.vcpus)),
        *(("-bios", _ovmf()) if scenario.firmware == "ovmf" else ()),
        *("-kernel", str(kernel.vmlinuz), "-initrd", str(initrd)),
        *("-append", f"console=ttyS0 panic=0 {scenario.cmdline}".strip()),
        *devices,
    ]


def _ovmf() -> str:
    for name in _OVMF:
        if Path(name).exists():
            return name
    raise LabError("no UEFI firmware for QEMU here (package ovmf; run `make setup`)")


def _dump(scenario: Scenario, machine: Machine, directory: Path) -> None:
    if "elf" in scenario.formats:
        elf = dump_file(scenario, "elf", directory)
        machine.dump(elf, file_format="elf")
        run(["fallocate", "--dig-holes", elf])  # most of a guest's memory is zeros
    if "flat" in scenario.formats or "kdump" in scenario.formats:
        flat = dump_file(scenario, "flat", directory)
        machine.dump(flat, file_format="kdump-zlib")
        if "kdump" in scenario.formats:
            _make_plain(flat, dump_file(scenario, "kdump", directory))
        if "flat" not in scenario.formats:
            flat.unlink()
    for which in scenario.formats:  # QEMU makes them read-only even for their owner
        dump_file(scenario, which, directory).chmod(0o644)


def _make_plain(flat: Path, kdump: Path) -> None:
    """Undo the flattened form, which is all that QEMU before 8.2 can write."""
    kdump.unlink(missing_ok=True)
    run(["sh", "-c", 'exec makedumpfile -R "$1" <"$0"', flat, kdump])


def _facts(scenario: Scenario, kernel: Kernel, console: str, directory: Path) -> dict[str, Any]:
    told = truth.parse(console, "running")
    return {
        "scenario": scenario.name,
        "shows": scenario.shows,
        "firmware": scenario.firmware,
        "vcpus": scenario.vcpus,
        "memory": scenario.memory,
        "dumps": [dump_file(scenario, which).name for which in scenario.formats],
        "vmlinux": f"../cache/{kernel.vmlinux.name}",
        "vmlinuxes": [f"../cache/{kernel.vmlinux.name}"],
        "found": True,
        **told.to_json(truth.link_address(kernel.vmlinux)),
    }
