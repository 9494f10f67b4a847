# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof: other tools open a repaired dump and give the guest's own values."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import crashext
from crashext.errors import CrashExtError
from crashext.vmcoreinfo import parse
from lab.peer_table import repaired
from lab.peers import ask, guest, judged
from lab.peers.case import Case, Values, case

pytestmark = [pytest.mark.lab, pytest.mark.crash]

ROOT = Path(__file__).parents[2]
LAB = ROOT / "lab" / "dumps"
#: x86_64 and arm64; ELF, plain kdump, flattened; idle and panicked; of later QEMUs.
DUMPS = (
    "ovmf-kaslr.elf", "ovmf-kaslr.flat", "panicked.kdump",
    "arm64-uefi.elf", "arm64-vmcoreinfo.flat", "arm64-panicked.kdump",
    "qemu-newer.kdump", "qemu-newest.elf",
)  # fmt: skip
#: An emulated crash takes a minute.
CRASH = (
    "ovmf-kaslr.elf",
    "ovmf-kaslr.flat",
    "panicked.kdump",
    "arm64-panicked.kdump",
    "qemu-newer.kdump",
)
TOOLS = [(tool, name) for tool in ("drgn", "libkdumpfile", "makedumpfile") for name in DUMPS]
TOOLS += [(tool, name) for tool in ("gdb", "volatility3") for name in DUMPS if "elf" in name]
TOOLS += [("crash", name) for name in CRASH]
#: docs/repair-table.md says why.
MAKEDUMPFILE_CANT_FILTER = ("ovmf-kaslr.flat", "panicked.kdump", "qemu-newer.kdump")
EARLIER_LIBKDUMPFILE_CANT_READ = ("ovmf-kaslr.flat",)
#: Of arm64 kernels that a CPU with 48 bits runs on, with 4 KiB pages.
CANT_OF_52_BITS = {
    "makedumpfile": "Can't determine platform config values",
    "crash": "memory section root table",
}


def is_built_for_52_bits(case: Case) -> bool:
    """As the kernel says itself in the VMCOREINFO of the dump repaired."""
    with crashext.open_dump(str(case.dump)) as dump:
        info = parse(dump.vmcoreinfo or b"")
    return (info.number("VA_BITS"), info.number("TCR_EL1_T1SZ")) == (52, 16)


@dataclass(frozen=True)
class Both:
    """A dump as it was, repaired, and what its guest says of itself."""

    before: Case
    after: Case
    values: Values


class Repaired:
    """Each dump is repaired once."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._made = folder, dict[str, Both]()

    def __call__(self, name: str) -> Both:
        dump = LAB / name
        if not dump.exists():
            pytest.skip(f"no lab dump {name} (make sample-dumps)")
        if name not in self._made:
            before = case(dump)
            assert before is not None
            self._made[name] = Both(
                before, repaired(before, self._folder), guest.values(before, dump)
            )
        return self._made[name]


@pytest.fixture(scope="module")
def mended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repaired]:
    folder = tmp_path_factory.mktemp("repaired")
    yield Repaired(folder)
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize("name", DUMPS)
def test_before_it_tools_refuse_the_dump(mended: Repaired, name: str) -> None:
    """Else what follows would prove nothing."""
    both = mended(name)
    for tool in ("drgn", "makedumpfile"):
        assert judged(ask(tool, both.before), both.values) == "refuses", tool


@pytest.mark.parametrize(("tool", "name"), TOOLS)
def test_a_tool_gives_the_guests_own_values(mended: Repaired, tool: str, name: str) -> None:
    both = mended(name)
    outcome = ask(tool, both.after)
    if outcome.opened is None:
        pytest.skip(f"{tool}: {outcome.problem}")
    if tool == "makedumpfile" and name in MAKEDUMPFILE_CANT_FILTER:
        assert (outcome.values.first, outcome.values.last) == (both.values.first, both.values.last)
        return
    if tool == "libkdumpfile" and name in EARLIER_LIBKDUMPFILE_CANT_READ and not outcome.opened:
        assert outcome.problem is not None and "Unknown file format" in outcome.problem
        return
    words = CANT_OF_52_BITS.get(tool)
    if words and not outcome.opened and is_built_for_52_bits(both.after):
        assert outcome.problem is not None and words in outcome.problem, outcome
        return
    assert judged(outcome, both.values) == "right", outcome
    told = {field for field in Values.__slots__ if getattr(outcome.values, field) is not None}
    assert {"release", "banner"} <= told
    if tool in ("crash", "drgn"):
        assert told == set(Values.__slots__)


@pytest.mark.parametrize("name", DUMPS)
def test_memory_is_the_same_page_for_page(mended: Repaired, name: str) -> None:
    both = mended(name)
    with (
        crashext.open_dump(str(both.before.dump)) as before,
        crashext.open_dump(str(both.after.dump)) as after,
    ):
        assert before.ram == after.ram
        pages = 0
        for start, end in before.ram:
            for paddr in range(start, end, CHUNK):
                size = min(CHUNK, end - paddr)
                assert content(before, paddr, size) == content(after, paddr, size), f"{paddr:#x}"
                pages += size >> 12
    assert pages >= 65536


CHUNK = 1 << 20


def content(dump: crashext.Dump, paddr: int, size: int) -> list[bytes]:
    """The bytes of a range; page by page, none of a page that is not there, if it lacks any."""
    try:
        return [dump.read(paddr, size)]
    except CrashExtError:
        if size <= 4096:
            return [b""]
        return [part for at in range(0, size, 4096) for part in content(dump, paddr + at, 4096)]


@pytest.mark.parametrize("name", ["panicked.kdump", "arm64-panicked.kdump"])
def test_libkdumpfile_sees_the_same_memory(mended: Repaired, name: str) -> None:
    """A reader that is not ours, on the repaired file, against ours on the file as it was."""
    both = mended(name)
    command = ["/usr/bin/python3", "-m", "tools.compare_kdumpfile"]
    done = subprocess.run(
        [*command, both.after.dump, both.before.dump],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    if "No module named 'kdumpfile'" in done.stderr:
        pytest.skip("python3-libkdumpfile is not installed (make setup)")
    same, different, unread = map(int, done.stdout.split())
    assert same > 1000 and (different, unread) == (0, 0)
