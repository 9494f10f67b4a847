# SPDX-License-Identifier: GPL-3.0-or-later
"""One running QEMU: its console in a file, its monitor on a socket, every wait limited."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from .errors import LabError
from .gdb import read_registers, run_to
from .qmp import Qmp

#: In so many rounds, at least, pages are sent as differences to what they were (XBZRLE), where
#: that is asked for: enough for some to be changed again and again, also by a guest that is slow.
_DIFFERENT = 6
#: Bytes of pages that QEMU remembers to tell differences by: as many as the guest has, so that
#: no page takes the place of another, which is then sent whole.
_REMEMBERED = 256 << 20
#: Bytes in a second. QEMU keeps to it by tenths: of the slowest, each has a few differences.
_SLOW, _SLOWEST = 4 << 20, 16 << 10
_POLL_SECONDS = 0.05


class Machine:
    """A guest under QEMU's own translator (TCG), so that no /dev/kvm is needed.

    Attributes:
        console: the file that takes what the guest writes to its serial port.
    """

    def __init__(self, qemu: str, options: Sequence[str], console: Path) -> None:
        self.console = console
        if shutil.which(qemu) is None:
            raise LabError(f"{qemu}: not installed (run `make setup` or `tools/setup.sh arch`)")
        self._directory = tempfile.TemporaryDirectory(prefix="lab-")
        self._socket = Path(self._directory.name) / "qmp"
        self._stub = Path(self._directory.name) / "gdb"
        self._errors = Path(self._directory.name) / "stderr"
        console.unlink(missing_ok=True)
        command = [
            *("setpriv", "--pdeathsig", "KILL"),  # no guest outlives the lab, however that ends
            *(qemu, "-accel", "tcg", "-display", "none", "-nodefaults", "-no-user-config"),
            *("-qmp", f"unix:{self._socket},server=on,wait=off"),
            *("-gdb", f"unix:{self._stub},server=on,wait=off"),
            *("-serial", f"file:{console}"),
            *options,
        ]
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=errors)
        try:
            self.qmp = self._connect()
        except LabError:
            self.stop()
            raise

    def _connect(self, *, timeout: float = 30) -> Qmp:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self._check_alive()
            try:
                return Qmp(self._socket)
            except OSError:
                time.sleep(_POLL_SECONDS)
        raise LabError(f"QEMU: no monitor after {timeout:.0f} s")

    def _check_alive(self) -> None:
        if self._process.poll() is not None:
            said = self._errors.read_text(errors="replace").strip().splitlines()[-1:]
            raise LabError(f"QEMU ended by itself: {said[0] if said else 'it says nothing'}")

    def wait_for(self, pattern: str, *, timeout: float, count: int = 1) -> None:
        """Wait until the console's text has ``count`` matches of ``pattern``.

        Raises:
            LabError: QEMU ends first or ``timeout`` seconds pass; names the console file.
        """
        end = time.monotonic() + timeout
        while len(re.findall(pattern, self.console_text())) < count:
            self._check_alive()
            if time.monotonic() > end:
                raise LabError(
                    f"the guest did not say {pattern!r} in {timeout:.0f} s; "
                    f"its console is in {self.console}"
                )
            time.sleep(_POLL_SECONDS)

    def run_to(self, address: int, *, timeout: float) -> None:
        """Let the guest run to an address and leave it stopped there.

        Raises:
            LabError: it does not get there in ``timeout`` seconds.
        """
        run_to(self._stub, address, timeout=timeout)

    def registers(self) -> str:
        """All vCPUs' registers, in the words of QEMU's monitor."""
        return self._monitor("info registers -a")

    def system_registers(self, names: Sequence[str]) -> list[Mapping[str, int]]:
        """Each vCPU's registers of these names, as far as QEMU's gdbstub has them."""
        running = self.qmp.execute("query-status")["running"]
        found = read_registers(self._stub, names)  # which stops the guest
        if running:
            self.qmp.execute("cont")
        return found

    def translate(self, vaddr: int) -> int | None:
        """The physical address that the first vCPU's page tables give; None if they have none."""
        match = re.search(r"gpa: (0x[0-9a-f]+|0)", self._monitor(f"gva2gpa {vaddr:#x}"))
        return int(match[1], 16) if match else None  # "%#x" has no 0x before 0

    def read(self, paddr: int, size: int) -> bytes:
        """Guest memory."""
        path = Path(self._directory.name) / "memory"
        arguments: dict[str, Any] = {"val": paddr, "size": size, "filename": str(path)}
        self.qmp.execute("pmemsave", **arguments)
        return path.read_bytes()

    def _monitor(self, line: str) -> str:
        command: dict[str, Any] = {"command-line": line}
        return str(self.qmp.execute("human-monitor-command", **command))

    def console_text(self) -> str:
        """All that the guest has written so far."""
        if not self.console.exists():
            return ""
        return self.console.read_bytes().decode("utf-8", "replace").replace("\r", "")

    def dump(self, path: Path, *, file_format: str) -> None:
        """Have QEMU write the guest's memory; ``file_format`` as in QMP ``dump-guest-memory``."""
        arguments: dict[str, Any] = {"paging": False, "protocol": f"file:{path}"}
        if file_format != "elf":
            arguments["format"] = file_format
        self.qmp.execute("dump-guest-memory", timeout=600, **arguments)

    def writes(self, file_format: str) -> bool:
        """Whether this QEMU has a format of dumps."""
        told = self.qmp.execute("query-dump-guest-memory-capability")
        return file_format in told["formats"]

    @property
    def version(self) -> str:
        """QEMU's, such as 7.2.22."""
        number = self.qmp.execute("query-version")["qemu"]
        return "{major}.{minor}.{micro}".format(**number)

    def migrate(self, uri: str, capabilities: Sequence[str], *, rounds: int = 0) -> None:
        """Send the guest to ``uri``, after so many ``rounds`` of a running one.

        Raises:
            LabError: it fails, or takes minutes.
        """
        self._set_capabilities(capabilities, state=True)
        if rounds:
            self._set({"xbzrle-cache-size": _REMEMBERED})
            self._set_speed(_SLOW, 1)
        different: dict[int, int] = {}  # pages sent as differences until this round's end
        self.qmp.execute("migrate", uri=uri)
        end = time.monotonic() + 300
        while (told := self.qmp.execute("query-migrate"))["status"] != "completed":
            if told["status"] in ("failed", "cancelled") or time.monotonic() > end:
                raise LabError(f"migration to {uri}: {told.get('error-desc', told['status'])}")
            ram = told.get("ram", {})
            done, left = ram.get("dirty-sync-count", 0), ram.get("remaining", 0)
            if rounds and done:
                # The first round slowly enough that its end is seen, those after it as slowly as
                # can be, so that the guest runs in each and none gets all that has changed. Then
                # all of it at once.
                different[done] = told.get("xbzrle-cache", {}).get("pages", 0)
                enough = "xbzrle" not in capabilities or len(set(different.values())) > _DIFFERENT
                fast = done > rounds and enough
                slow = _SLOW if done == 1 else max(left, _SLOWEST) if done == 2 else _SLOWEST
                self._set_speed(1 << 30 if fast else slow, 5000 if fast else 1)
            time.sleep(_POLL_SECONDS)
        self._set_capabilities(capabilities, state=False)

    def _set_capabilities(self, names: Sequence[str], *, state: bool) -> None:
        listed: Any = [{"capability": name, "state": state} for name in names]
        self.qmp.execute("migrate-set-capabilities", capabilities=listed)

    def _set_speed(self, bandwidth: int, downtime: int) -> None:
        """Bytes in a second, and milliseconds that a guest may be stopped."""
        self._set({"max-bandwidth": bandwidth, "downtime-limit": downtime})

    def _set(self, parameters: Mapping[str, Any]) -> None:
        self.qmp.execute("migrate-set-parameters", **parameters)

    def wait_received(self, *, timeout: float) -> None:
        """Wait until what ``-incoming`` names has been taken in.

        Raises:
            LabError: it takes longer, or fails.
        """
        end = time.monotonic() + timeout
        while self.qmp.execute("query-status")["status"] == "inmigrate":
            self._check_alive()
            if time.monotonic() > end:
                raise LabError(f"the guest was not there in {timeout:.0f} s")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End QEMU, whatever it is doing."""
        if hasattr(self, "qmp"):
            self.qmp.close()
        self._process.kill()
        self._process.wait()
        self._directory.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
