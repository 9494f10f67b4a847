# SPDX-License-Identifier: GPL-3.0-or-later
"""Full sessions: right ones are left alone, wrong ones start again."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from .crash_driver import PLUGIN, Guest, environment, guest, run_crash
from .test_parity import compare

pytestmark = [pytest.mark.crash, pytest.mark.lab]

_ALIGN = 2 << 20


def test_right_session_is_left_alone(tmp_path: Path) -> None:
    case = guest("ovmf-nokaslr.kdump")
    commands = [
        f"extend {PLUGIN}",
        "help -p | grep program_pid",
        "qemufix physbase --apply",
        "help -p | grep program_pid",
    ]
    out = run_crash(case.argv("-s", *case.right), commands, cwd=tmp_path).out
    assert "already: nothing to change" in out
    assert "crash starts again" not in out
    pids = [line for line in out.splitlines() if " program_pid: " in line]
    assert len(pids) == 2
    assert pids[0] == pids[1]


@dataclasses.dataclass(frozen=True)
class StaleCopy:
    """A dump with a second copy of the kernel image, and the phys_base of that."""

    case: Guest
    phys_base: int


@pytest.fixture(scope="module")
def stale(tmp_path_factory: pytest.TempPathFactory) -> StaleCopy:
    """The wrong value that crash comes up with: one that leads to a copy of the image.

    Any other is refused at start, as the banner is not there.
    """
    original = guest("ovmf-kaslr.elf")
    dump = tmp_path_factory.mktemp("stale") / "stale.elf"
    shutil.copyfile(original.dump, dump)
    symbols = original.truth["symbols"]
    text = int(original.truth["text_paddr"], 16)
    size = int(symbols["_end"], 16) - int(symbols["_text"], 16)
    with dump.open("r+b") as file:
        segments: list[tuple[int, int, int]] = [
            (s["p_paddr"], s["p_offset"], s["p_filesz"])
            for s in ELFFile(file).iter_segments("PT_LOAD")
        ]

        def offset(paddr: int) -> int:
            return next(at + paddr - p for p, at, n in segments if p <= paddr < p + n)

        file.seek(offset(text))
        image = file.read(size)
        for copy in range(16 << 20, text - size, _ALIGN):
            file.seek(offset(copy))
            if not any(file.read(size)):
                break
        else:
            pytest.skip("this guest has no room for a second image")
        file.seek(offset(copy))
        file.write(image)
    moved = int(original.phys_base, 16) + copy - text
    return StaleCopy(dataclasses.replace(original, dump=dump), moved % (1 << 64))


def wrong(stale: StaleCopy) -> list[str]:
    return [f"--kaslr={stale.case.kaslr_offset}", "--machdep", f"phys_base={stale.phys_base:#x}"]


def test_wrong_session_starts_again_and_is_right(stale: StaleCopy, tmp_path: Path) -> None:
    compare(stale.case, wrong(stale), tmp_path)


def test_restart_keeps_waiting_commands_and_state(stale: StaleCopy, tmp_path: Path) -> None:
    """From an input file: its rest runs once, and then what is waiting on stdin."""
    script = tmp_path / "commands"
    lines = [
        f"extend {PLUGIN}",
        "set radix 16",
        "!echo before >> trace",
        "qemufix physbase --apply",
        "!echo after >> trace",
        "set radix > radix",
        "help -m > translation",
    ]
    script.write_text("".join(line + "\n" for line in lines))
    argv = stale.case.argv("-s", *wrong(stale), "-i", str(script))
    done = run_crash(argv, ["!echo stdin >> trace", "qemufix physbase --apply"], cwd=tmp_path)
    assert (tmp_path / "trace").read_text().split() == ["before", "after", "stdin"], done.out
    assert "16" in (tmp_path / "radix").read_text()
    right = int(stale.case.phys_base, 16)
    assert f" phys_base: {right:x}\n" in (tmp_path / "translation").read_text()
    assert "crash starts again" in done.out
    assert "already: nothing to change" in done.out


def test_restart_is_not_repeated(stale: StaleCopy, tmp_path: Path) -> None:
    env = environment(QEMUFIX_RESTARTED="1")
    commands = [f"extend {PLUGIN}", "qemufix physbase --apply", "p jiffies_64"]
    done = run_crash(stale.case.argv("-s", *wrong(stale)), commands, cwd=tmp_path, env=env)
    assert "started again already" in done.out
    assert "jiffies_64 = " in done.out
