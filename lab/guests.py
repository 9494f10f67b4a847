# SPDX-License-Identifier: GPL-3.0-or-later
"""One scenario's guest: booted, taken through its course, dumped, its truth kept."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from . import initramfs, truth
from .course import Migrate
from .emulator import qemu as emulator
from .errors import LabError, run
from .kernels import Kernel, get_kernel
from .layout import Layout, look
from .machine import Machine
from .registers import Cpu, vcpus
from .scenario import Format, Scenario
from .target import Firmware, Which
from .vmlinux_writer import FullVmlinux

DUMPS = Path(__file__).parent / "dumps"

Say = Callable[[str], None]

# libvirt src/qemu/qemu_saveimage.h: the magic, version, bytes of XML, "was running", the number
# of the format "sparse", no cookie; the XML.
_XML = b"<domain/>".ljust(1234, b"\0")
_SAVED = struct.pack("<16s5I", b"LibvirtQemudSave", 2, len(_XML), 1, 6, 0).ljust(92, b"\0") + _XML
#: A kdump that is not flattened: since 8.2.
_RAW = "kdump-raw-zlib"


def make(scenario: Scenario, say: Say, *, directory: Path = DUMPS, debug: bool = True) -> bool:
    """Make a scenario's dumps and truth unless they are there; return whether it did.

    Without ``debug`` the truth has nothing that only a debug package tells.

    Raises:
        LabError: the guest did not get into the wanted state; its console is kept.
    """
    if _is_there(scenario, directory):
        say(f"{scenario.name}: in the cache")
        return False
    directory.mkdir(parents=True, exist_ok=True)
    kernels = {
        which: get_kernel(scenario.target, which, lambda _: None, debug=debug)
        for which in scenario.which_kernels
    }
    say(f"{scenario.name}: booting ({scenario.shows})")
    console = directory / f"{scenario.name}.console"
    with TemporaryDirectory(prefix="boot-", dir=directory) as boot:
        options = _options(scenario, kernels, Path(boot))
        qemu = emulator(scenario.qemu, scenario.target.qemu, say)
        with Machine(qemu, options, console) as machine:
            guest = _Guest(scenario, machine, kernels, directory, (qemu, options))
            for step in scenario.course:
                step.take(guest)
            guest.listen()
        _keep_vmcore(guest, Path(boot) / "disk")
    facts = guest.facts()
    _truth_file(scenario, directory).write_text(json.dumps(facts, indent=1) + "\n")
    say(f"{scenario.name}: dumped")
    return True


def dump_file(scenario: Scenario, which: Format, directory: Path = DUMPS) -> Path:
    """Where a scenario's dump of one format lies."""
    return directory / f"{scenario.name}.{which}"


def _truth_file(scenario: Scenario, directory: Path) -> Path:
    return directory / f"{scenario.name}.json"


def _is_there(scenario: Scenario, directory: Path) -> bool:
    """The truth is written last: where it is, the dumps are whole."""
    files = [dump_file(scenario, which, directory) for which in scenario.formats]
    files += [directory / name for name in scenario.captures]
    return all(path.exists() for path in (_truth_file(scenario, directory), *files))


@dataclass(slots=True)
class _Guest:
    """A guest on its course; see :class:`lab.course.Guest`."""

    scenario: Scenario
    machine: Machine
    kernels: dict[Which, Kernel]
    directory: Path
    started: tuple[str, list[str]]
    text: str = ""
    told: list[truth.Truth] = field(default_factory=list)
    layouts: list[Layout] = field(default_factory=list)
    cpus: list[Cpu] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    version: str = ""

    def listen(self) -> None:
        """Take down what the guest has said, and look at the kernels that are new."""
        self.text = self.machine.console_text()
        for told in truth.parse(self.text, self.scenario.target)[len(self.told) :]:
            if Kernel(told.release).vmlinux.exists():
                told.complete(_linked_symbols(told))
            self.layouts.append(look(told, self._vcpus(), self.machine))
            self.told.append(told)

    def _vcpus(self) -> list[Cpu]:
        target = self.scenario.target
        names = target.system_registers
        system = self.machine.system_registers(names) if names else ()
        return vcpus(self.machine.registers(), system, target)

    def migrate(self, how: Migrate) -> None:
        """Send the guest into the capture; see :class:`lab.course.Migrate`."""
        path = self.directory / self.scenario.captures[0]
        path.write_bytes(_SAVED if how.saved else b"")
        if not how.rounds:
            self.machine.qmp.execute("stop")
        uri = f"file:{path},offset={len(_SAVED) * how.saved}"
        if "mapped-ram" not in how.capabilities:
            uri = f"exec:cat >'{path}'"
        self.machine.migrate(uri, how.capabilities, rounds=how.rounds)
        path.chmod(0o644)
        if how.rounds:
            qemu, options = self.started
            more = ["-S", "-incoming", f"exec:cat '{path}'"]
            with Machine(qemu, [*options, *more], path.with_suffix(".received")) as received:
                received.wait_received(timeout=60)
                self.dump(received)

    def dump(self, machine: Machine | None = None) -> None:
        """Take the scenario's dumps of the stopped guest, and note where its vCPUs are."""
        self.cpus = self._vcpus()
        self.listen()
        self._write(machine or self.machine)

    def _write(self, machine: Machine) -> None:
        """Have QEMU write the dumps."""
        formats = self.scenario.formats
        elf, flat, kdump = (
            dump_file(self.scenario, which, self.directory) for which in ("elf", "flat", "kdump")
        )
        if "elf" in formats:
            machine.dump(elf, file_format="elf")
            run(["fallocate", "--dig-holes", elf])  # most of a guest's memory is zeros
        raw = machine.writes(_RAW)
        if "flat" in formats or ("kdump" in formats and not raw):
            machine.dump(flat, file_format="kdump-zlib")
        if "kdump" in formats and raw:
            machine.dump(kdump, file_format=_RAW)
        elif "kdump" in formats:
            _make_plain(flat, kdump)
        if "flat" not in formats:
            flat.unlink(missing_ok=True)
        self.version = machine.version
        self.made = [dump_file(self.scenario, which).name for which in formats]
        for name in self.made:  # QEMU makes them read-only even for their owner
            (self.directory / name).chmod(0o644)

    def address(self, symbol: str) -> int:
        """Where the kernel is linked to have a symbol."""
        assert self.scenario.kernel is not None
        found = FullVmlinux(self.kernels[self.scenario.kernel].vmlinux).symbols([symbol])
        if not found:
            raise LabError(f"{self.scenario.name}: the kernel has no symbol {symbol}")
        return found[0].value

    def facts(self) -> dict[str, Any]:
        """What is known of the dumps: the contract of the truth files."""
        roles = self.scenario.roles
        told = list(zip(self.told, self.layouts, strict=True))[-len(roles) :] if roles else []
        if len(told) != len(roles):
            raise LabError(f"{self.scenario.name}: {len(told)} of {len(roles)} kernels told truths")
        kernels = [
            {"role": role, **_kernel_facts(kernel, layout)}
            for role, (kernel, layout) in zip(roles, told, strict=True)
        ]
        answers = [kernel for kernel in kernels if kernel["role"] in ("live", "crashed")]
        return {
            "scenario": self.scenario.name,
            "shows": self.scenario.shows,
            "group": self.scenario.group,
            "arch": self.scenario.arch,
            "firmware": _firmware(self.scenario),
            "vcpus": self.scenario.vcpus,
            "memory": self.scenario.memory,
            "origin": "qemu",
            "qemu": self.version,
            "dumps": self.made,
            "captures": list(self.scenario.captures),
            "vmlinuxes": list(dict.fromkeys(k["vmlinux"] for k in kernels if k["vmlinux"])),
            "cpus": self.cpus,
            "found": bool(answers),
            **(answers[0] if answers else {}),
            "kernels": kernels,
            "forged": re.findall(r"=== LAB FORGE phys_base (0x\w+)", self.text),
        }


def _kernel_facts(told: truth.Truth, layout: Layout) -> dict[str, Any]:
    vmlinux = Kernel(told.release).vmlinux
    return {
        "vmlinux": f"../cache/{vmlinux.name}" if vmlinux.exists() else None,
        **told.to_json(),
        "va_bits": layout.va_bits,
        "page_table_levels": layout.page_table_levels,
        "phys_offset": None if layout.phys_offset is None else truth.hex64(layout.phys_offset),
    }


def _linked_symbols(told: truth.Truth) -> dict[str, int]:
    """Where the kernel was linked to have the symbols that the truth is about."""
    full = FullVmlinux(Kernel(told.release).vmlinux)
    names = {*told.target.place_symbol, *initramfs.symbols(told.target)}
    return {symbol.name: symbol.value for symbol in full.symbols(names)}


def _firmware(scenario: Scenario) -> Firmware:
    return scenario.firmware or scenario.target.firmware


def _options(scenario: Scenario, kernels: dict[Which, Kernel], boot: Path) -> list[str]:
    target = scenario.target
    return [
        *("-machine", target.machine, "-cpu", scenario.cpu or target.cpu, "-m", scenario.memory),
        *("-smp", str(scenario.vcpus)),
        *_bios_options(scenario),
        *(_kernel_options(scenario, kernels, boot) if scenario.kernel else ()),
        *(_disk_options(scenario.disk, boot) if scenario.disk else ()),
        *scenario.options,
    ]


def _kernel_options(
    scenario: Scenario, kernels: dict[Which, Kernel], boot: Path
) -> tuple[str, ...]:
    assert scenario.kernel is not None
    kernel = kernels[scenario.kernel]
    initrd = boot / "initrd"
    initrd.write_bytes(_initramfs(scenario, kernels))
    command_line = f"console={scenario.target.console} panic=0 {scenario.cmdline}".strip()
    return "-kernel", str(kernel.vmlinuz), "-initrd", str(initrd), "-append", command_line


def _initramfs(scenario: Scenario, kernels: dict[Which, Kernel]) -> bytes:
    """The guest's own; one that starts a second kernel has that one's inside."""
    built = {f"bin/{name}": initramfs.compiled(name, scenario.target) for name in scenario.programs}
    if scenario.linked:
        assert scenario.kernel is not None
        built["linked"] = _linked(kernels[scenario.kernel], scenario.linked)
    inner = initramfs.build(scenario.target, kernels=tuple(kernels.values()), files=built)
    if "lab.action=crash" not in scenario.cmdline and scenario.other is None:
        return inner
    assert scenario.kernel is not None
    second = kernels[scenario.other or scenario.kernel]
    return initramfs.build(
        scenario.target,
        kernels=tuple(kernels.values()),
        programs=("kexec",),
        files={"boot/vmlinuz": second.vmlinuz.read_bytes(), "boot/initrd": inner},
    )


def _linked(kernel: Kernel, names: tuple[str, ...]) -> bytes:
    """Lines of symbol and linked address, hexadecimal."""
    symbols = FullVmlinux(kernel.vmlinux).symbols(names)
    missing = set(names) - {symbol.name for symbol in symbols}
    if missing:
        raise LabError(f"{kernel.vmlinux}: no symbol {', '.join(sorted(missing))}")
    return "".join(f"{symbol.name} {symbol.value:x}\n" for symbol in symbols).encode()


def _disk_options(size: int, boot: Path) -> tuple[str, ...]:
    disk = boot / "disk"
    with disk.open("wb") as file:
        file.truncate(size)
    return "-drive", f"file={disk},if=virtio,format=raw"


def _keep_vmcore(guest: _Guest, disk: Path) -> None:
    """Turn the disk that the capture kernel wrote into a file of the right length."""
    sizes = re.findall(r"=== LAB VMCORE (\d+)\n", guest.text)
    if sizes:
        vmcore = guest.directory / f"{guest.scenario.name}.vmcore"
        with disk.open("r+b") as file:
            file.truncate(int(sizes[-1]))
        run(["fallocate", "--dig-holes", disk])
        disk.replace(vmcore)


def _bios_options(scenario: Scenario) -> tuple[str, ...]:
    files = scenario.target.bios.get(_firmware(scenario), ())
    for name in files:
        if Path(name).exists():
            return "-bios", name
    if files:
        raise LabError(f"no UEFI firmware {files[0]} here (run `make setup`)")
    return ()


def _make_plain(flat: Path, kdump: Path) -> None:
    """Undo the flattened form, which is all that QEMU before 8.2 can write."""
    kdump.unlink(missing_ok=True)
    run(["sh", "-c", 'exec makedumpfile -R "$1" <"$0"', flat, kdump])
