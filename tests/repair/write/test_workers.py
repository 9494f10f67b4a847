# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in several processes: in order, errors brought home, nothing left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crashext.errors import CorruptDump
from crashext.repair.write.workers import in_order

ROOT = Path(__file__).parents[3]


def square(item: int, memory: memoryview) -> tuple[int, int]:
    memory[:8] = item.to_bytes(8, "little")
    time.sleep(0.001 * (item % 3))
    return item * item, os.getpid()


@pytest.mark.parametrize("processes", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 4, 57])
def test_results_come_in_order_with_their_memory(processes: int, count: int) -> None:
    seen = []
    pids = set()
    for (value, pid), memory in in_order(square, range(count), 64, processes):
        seen.append((value, int.from_bytes(memory[:8], "little")))
        pids.add(pid)
    assert seen == [(n * n, n) for n in range(count)]
    assert len(pids) == min(processes, count)
    assert (os.getpid() in pids) == (processes == 1 and count > 0)


def test_items_are_not_taken_far_ahead() -> None:
    before = children()
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        while taken < 1000:
            taken += 1
            yield taken

    with closing(in_order(square, items(), 64, 3)) as results:
        for count, _ in enumerate(results):
            assert taken <= count + 2 * 3
            if count == 20:
                break
    assert children() == before


def failing(item: int, memory: memoryview) -> int:
    if item == 5:
        raise CorruptDump("no good", path="some dump", offset=7)
    return item


@pytest.mark.parametrize("processes", [1, 3])
def test_an_error_comes_home_as_it_is(processes: int) -> None:
    before = children()
    seen = []
    with pytest.raises(CorruptDump, match=r"^some dump: offset 0x7: no good$") as caught:
        seen += [value for value, _ in in_order(failing, range(100), 64, processes)]
    assert caught.value.offset == 7
    assert children() == before


def killed(item: int, memory: memoryview) -> int:
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def test_a_killed_worker_is_told() -> None:
    before = children()
    with pytest.raises(ChildProcessError, match="-9"):
        list(in_order(killed, range(100), 64, 2))
    assert children() == before


def children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


SCRIPT = """
import signal, time
# Who runs the tests in the background has them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
from crashext.repair.write.workers import in_order

def slow(item, memory):
    time.sleep(0.05)
    return item

for value, _ in in_order(slow, range(100000), 64, 3):
    print(value, flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_its_parent(how: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        assert process.stdout and process.stderr
        assert [process.stdout.readline() for _ in range(3)] == ["0\n", "1\n", "2\n"]
        path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        workers = path.read_text().split()
        assert len(workers) == 3
        # Ctrl-C goes to all processes of the terminal.
        os.killpg(process.pid, how) if how == signal.SIGINT else process.send_signal(how)
        process.wait(10)
        errors = process.stderr.read()
        assert errors.count("Traceback") == (how == signal.SIGINT)
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}/stat").exists() and "Z" not in
              Path(f"/proc/{pid}/stat").read_text().split()[2] for pid in workers):  # fmt: skip
        assert time.monotonic() < deadline
        time.sleep(0.05)
