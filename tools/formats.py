# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/formats.md: ``python -m tools.formats``.

Makes every kind of dump from a lab guest's memory, reads each with qemufix, with
libkdumpfile's Python binding and with crash, compares what they read with the ELF dump
that QEMU wrote, and puts the outcome into the tables between the marks of the document.
"""

from __future__ import annotations

import bz2
import gzip
import itertools
import json
import lzma
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import zstandard

from crashext import CrashExtError, Dump, ExcludedPage, open_dump
from crashext.locate import locate
from tests.dumps.test_wrapped import xz_blocks, zstd_frames
from tests.dumps.writers.elf_writer import Elf, Load
from tests.dumps.writers.flat_writer import flatten, records
from tests.dumps.writers.kdump_writer import Kdump
from tests.dumps.writers.notes import note
from tests.dumps.writers.qevm_writer import Qevm

DOCUMENT = Path("docs/formats.md")
GUEST = Path("lab/dumps/ovmf-vmcoreinfo.elf")
TRUTH = json.loads(GUEST.with_suffix(".json").read_text())
VMLINUX = GUEST.parent / TRUTH["vmlinux"]
CODECS = ("none", "zlib", "lzo", "snappy", "zstd")
PAGE = 4096


class Kind(NamedTuple):
    """One kind of file: what it is, who writes such, and how to make one in a folder."""

    name: str
    writer: str
    make: Callable[[Path], list[Path]]
    with_crash: bool = True


class Guest:
    """The memory and notes of the guest, as QEMU's ELF dump has them."""

    def __init__(self) -> None:
        self.dump = open_dump(GUEST)
        # The flash above it is left out: nobody finds a kernel there.
        low = self.dump.ram[0]
        self.memory = self.dump.read(low.start, low.size)
        self.pages = {at // PAGE: self.memory[at : at + PAGE] for at in range(0, low.size, PAGE)}
        self.notes = b"".join(note(n.name.encode(), n.type, n.desc) for n in self.dump.notes)

    def kdump(self, **changes: object) -> bytes:
        """The memory as a kdump."""
        spec = {"pages": self.pages, "notes": self.notes} | changes
        return Kdump(**spec).write()  # type: ignore[arg-type]

    def blocks(self, size: int) -> dict[int, bytes]:
        """The memory in larger pages."""
        memory = self.memory
        return {at // size: memory[at : at + size] for at in range(0, len(memory), size)}

    def elf(self, **changes: object) -> bytes:
        """The memory as an ELF core."""
        spec = {"loads": [Load(0, self.memory)], "notes": self.notes} | changes
        return Elf(**spec).write()  # type: ignore[arg-type]


def kinds(guest: Guest) -> Iterator[Kind]:
    """All kinds that hold the whole guest."""

    def one(content: Callable[[], bytes]) -> Callable[[Path], list[Path]]:
        def make(folder: Path) -> list[Path]:
            path = folder / "dump"
            path.write_bytes(content())
            return [path]

        return make

    def lab(name: str) -> Callable[[Path], list[Path]]:
        return lambda folder: [GUEST.parent / name]

    stem = GUEST.stem
    yield Kind("ELF", "QEMU 7.2", lab(f"{stem}.elf"))
    yield Kind("kdump, zlib", "QEMU 7.2, makedumpfile -R", lab(f"{stem}.kdump"))
    yield Kind("kdump flattened, zlib", "QEMU 7.2", lab(f"{stem}.flat"))
    for codec in CODECS:
        yield Kind(f"kdump, {codec}", "re-encoder", one(lambda c=codec: guest.kdump(codec=c)))  # type: ignore[misc]
    for version in range(1, 6):
        yield Kind(
            f"kdump, header version {version}",
            "re-encoder",
            one(lambda v=version: guest.kdump(version=v, vmcoreinfo=guest.dump.vmcoreinfo or b"")),  # type: ignore[misc]
        )
    for size in (16384, 65536):
        yield Kind(
            f"kdump, pages of {size >> 10} KiB",
            "re-encoder",
            one(lambda s=size: guest.kdump(pages=guest.blocks(s), block_size=s)),  # type: ignore[misc]
            with_crash=False,
        )
    yield from _flattened(guest, one)
    yield Kind("kdump split in three", "re-encoder", lambda folder: _split(guest, folder))
    half = dict(itertools.islice(guest.pages.items(), 0, None, 2))
    rest = frozenset(guest.pages) - frozenset(half)
    yield Kind("kdump, every other page excluded", "re-encoder",
               one(lambda: guest.kdump(pages=half, excluded=rest)))  # fmt: skip
    yield from _elves(guest, one)
    yield from _makedumpfile(guest)
    yield from _wrapped(guest, one)
    yield Kind("migration stream (virsh dump)", "re-encoder",
               one(lambda: _stream(guest)), with_crash=False)  # fmt: skip


def _flattened(
    guest: Guest, one: Callable[[Callable[[], bytes]], Callable[[Path], list[Path]]]
) -> Iterator[Kind]:
    def shuffled() -> bytes:
        parts = records(guest.kdump())
        random.Random(1).shuffle(parts)
        return flatten(parts)

    def overlapping() -> bytes:
        return flatten(
            [(at, bytes(9000)) for at in range(0, 1 << 20, 8192)] + records(guest.kdump())
        )

    yield Kind("flattened, records in any order", "re-encoder", one(shuffled))
    yield Kind("flattened, records that overlap", "re-encoder", one(overlapping))
    yield Kind("flattened, without end mark", "re-encoder",
               one(lambda: flatten(records(guest.kdump()), end=b"")))  # fmt: skip


def _split(guest: Guest, folder: Path) -> list[Path]:
    third = len(guest.pages) // 3
    paths = []
    for number, part in enumerate(((0, third), (third, 2 * third), (2 * third, len(guest.pages)))):
        paths.append(folder / f"part{number}")
        paths[-1].write_bytes(guest.kdump(part=part, dump_level=0))
    return paths


def _elves(
    guest: Guest, one: Callable[[Callable[[], bytes]], Callable[[Path], list[Path]]]
) -> Iterator[Kind]:
    def paging() -> bytes:
        half = len(guest.memory) // 2
        low, high = guest.memory[:half], guest.memory[half:]
        direct = 0xFFFF888000000000
        return guest.elf(
            loads=[
                Load(half, high, vaddr=direct + half),
                Load(0, low, vaddr=direct),
                Load(0, low, vaddr=0x400000, shares=1),
            ]
        )

    def many() -> bytes:
        pieces = len(guest.memory) >> 12
        return guest.elf(
            loads=[Load(n << 12, guest.memory[n << 12 : (n + 1) << 12]) for n in range(pieces)],
            xnum=True,
        )

    yield Kind("ELF without sections", "QEMU before 7.2", one(lambda: guest.elf(sections=False)))
    yield Kind("ELF, virtual addresses", "QEMU, paging=true", one(paging))
    yield Kind("ELF of 131072 segments (PN_XNUM)", "re-encoder", one(many))
    yield Kind("ELF, class 32", "QEMU, 32-bit guests",
               one(lambda: guest.elf(bits=32, machine=3)), with_crash=False)  # fmt: skip


def _makedumpfile(guest: Guest) -> Iterator[Kind]:
    if not shutil.which("makedumpfile"):
        return

    def make(*options: str, parts: int = 1) -> Callable[[Path], list[Path]]:
        def run(folder: Path) -> list[Path]:
            source = folder / "source"
            # makedumpfile 1.7.2 takes the program headers to be at offset 64.
            source.write_bytes(guest.elf(sections=False))
            paths = [folder / f"part{n}" for n in range(parts)]
            words = ["makedumpfile", *options, str(source)]
            if "-F" in options:
                with paths[0].open("wb") as output:
                    subprocess.run(words, stdout=output, stderr=subprocess.DEVNULL, check=True)
            else:
                words += map(str, paths)
                subprocess.run(words, capture_output=True, check=True)
            return paths

        return run

    name = "makedumpfile 1.7.2"
    yield Kind("kdump, zlib", f"{name} -c", make("-c", "-d", "0"))
    yield Kind("kdump, lzo", f"{name} -l", make("-l", "-d", "0"))
    yield Kind("kdump, zlib, filtered", f"{name} -c -d 31", make("-c", "-d", "31"))
    yield Kind("flattened", f"{name} -c -F", make("-c", "-F", "-d", "1"))
    yield Kind("split in two", f"{name} --split", make("-c", "--split", parts=2))
    yield Kind("ELF", f"{name} -E", make("-E", "-d", "0"))


def _wrapped(
    guest: Guest, one: Callable[[Callable[[], bytes]], Callable[[Path], list[Path]]]
) -> Iterator[Kind]:
    packers: dict[str, Callable[[bytes], bytes]] = {
        ".gz": lambda data: gzip.compress(data, 1),
        ".bz2": lambda data: bz2.compress(data, 1),
        ".xz of one block": lambda data: lzma.compress(data, preset=0),
        ".xz of blocks": xz_blocks,
        ".zst of one frame": lambda data: zstandard.ZstdCompressor(level=1).compress(data),
        ".zst of frames": zstd_frames,
    }
    for name, pack in packers.items():
        yield Kind(f"ELF{name}", "anybody", one(lambda p=pack: p(guest.elf())), with_crash=False)  # type: ignore[misc]


def _stream(guest: Guest) -> bytes:
    return Qevm([{"pc.ram": guest.pages}], {"pc.ram": len(guest.memory)}).write()


def ours(paths: list[Path], guest: Guest) -> str:
    """Compare all pages, and find the kernel."""
    try:
        with open_dump(*paths) as dump:
            wrong, excluded = _differences(dump, guest)
            if wrong:
                return f"**{wrong} pages differ**"
            text = f"{excluded} excluded" if excluded else "all pages"
            answer = locate(dump, vmlinux=str(VMLINUX))
            found = hex((answer.phys_base or 0) & (1 << 64) - 1) == TRUTH["phys_base"]
            return f"{text}, kernel found" if found else f"{text}, no kernel"
    except CrashExtError as error:
        return f"**{error}**"


def _differences(dump: Dump, guest: Guest) -> tuple[int, int]:
    wrong = excluded = 0
    for pfn, page in guest.pages.items():
        try:
            wrong += dump.read(pfn * PAGE, PAGE) != page
        except ExcludedPage:
            excluded += 1
        except CrashExtError:
            wrong += 1
    return wrong, excluded


def libkdumpfile(paths: list[Path], reference: Path | None = None) -> str:
    """Compare all pages through the binding."""
    if len(paths) > 1:
        return "no (one file)"
    command = ["/usr/bin/python3", "-m", "tools.compare_kdumpfile", str(paths[0])]
    done = subprocess.run(
        [*command, str(reference)] if reference else command,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return "no"
    same, different, unread = map(int, done.stdout.split())
    if not same:
        return "no"
    return f"**{different} pages differ**" if different else f"{unread} unread" if unread else "yes"


def crash(paths: list[Path], guest: Guest) -> str:
    """Compare some pages that hold something, through ``rd -p`` in a minimal session."""
    chosen = random.Random(2).sample([n for n, page in guest.pages.items() if any(page)], 200)
    with open_dump(*paths) as dump:
        addresses = [pfn * PAGE for pfn in chosen if _readable(dump, pfn * PAGE)][:40]
    with tempfile.NamedTemporaryFile("w", suffix=".crash") as commands:
        commands.write("".join(f"rd -p {at:x} 512\n" for at in addresses) + "exit\n")
        commands.flush()
        right = ["--kaslr", TRUTH["kaslr_offset"], "--machdep", f"phys_base={TRUTH['phys_base']}"]
        done = subprocess.run(
            ["crash", "--minimal", "--no_crashrc", "-s", *right, "-i", commands.name,
             str(VMLINUX), *map(str, paths)],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            env={"TERM": "dumb", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        )  # fmt: skip
    lines = re.findall(r"^ *([0-9a-f]+): +([0-9a-f]{16}) ([0-9a-f]{16})", done.stdout, re.MULTILINE)
    wrong = sum(
        guest.memory[int(at, 16) : int(at, 16) + 16]
        != int(a, 16).to_bytes(8, "little") + int(b, 16).to_bytes(8, "little")
        for at, a, b in lines
    )
    if wrong:
        return f"**{wrong} lines differ**"
    return "yes" if len(lines) == 256 * len(addresses) else "no"


def _readable(dump: Dump, paddr: int) -> bool:
    try:
        dump.read(paddr, 1)
    except CrashExtError:
        return False
    return True


def containers(guest: Guest) -> Iterator[str]:
    """The rows of the table of containers."""
    yield "| kind | written by | qemufix | libkdumpfile | crash |"
    yield "|---|---|---|---|---|"
    for kind in kinds(guest):
        with tempfile.TemporaryDirectory() as name:
            paths = kind.make(Path(name))
            crashs = crash(paths, guest) if kind.with_crash else "-"
            row = (kind.name, kind.writer, ours(paths, guest), libkdumpfile(paths, GUEST), crashs)
            print(*row, sep=" | ", flush=True)
            yield f"| {' | '.join(row)} |"


def headers(guest: Guest) -> Iterator[str]:
    """Codec, width and byte order of a kdump, plain and flattened, on part of the memory."""
    some = {n: page for n, page in guest.pages.items() if any(page)}
    pages = dict(itertools.islice(some.items(), 1000)) | {50000: bytes(PAGE)}
    yield "| sub-header | byte order | codec | qemufix | flattened | libkdumpfile |"
    yield "|---|---|---|---|---|---|"
    widths = (("64-bit", 64, False), ("32-bit packed", 32, False), ("32-bit padded", 32, True))
    for (name, bits, padded), order, codec in itertools.product(widths, ("little", "big"), CODECS):
        with tempfile.TemporaryDirectory() as folder:
            plain, flat, stored = (Path(folder) / n for n in ("plain", "flat", "stored"))
            for path, how in ((plain, codec), (stored, "none")):
                path.write_bytes(
                    Kdump(
                        pages, bits=bits, padded=padded, order=order, codec=how,
                        machine=_MACHINES.get((name, order), b"x86_64"),
                    ).write()
                )  # fmt: skip
            flat.write_bytes(flatten(records(plain.read_bytes())))
            results = [_reads(path, pages) for path in (plain, flat)]
            results.append(libkdumpfile([plain], stored))
        yield f"| {name} | {order} | {codec} | {' | '.join(results)} |"


_MACHINES = {
    ("64-bit", "big"): b"ppc64",
    ("32-bit packed", "little"): b"i686",
    ("32-bit packed", "big"): b"ppc",
    ("32-bit padded", "little"): b"armv7l",
    ("32-bit padded", "big"): b"mips",
}


def _reads(path: Path, pages: dict[int, bytes]) -> str:
    with open_dump(path) as dump:
        same = all(dump.read(pfn * PAGE, PAGE) == page for pfn, page in pages.items())
    return "yes" if same else "**no**"


def main() -> None:
    """Replace the tables of the document, or those that are named."""
    tables = {"headers": headers, "containers": containers}
    guest = Guest()
    for name in sys.argv[1:] or tables:
        rows = "\n".join(tables[name](guest))
        text = DOCUMENT.read_text()
        mark, end = f"<!-- {name}: by tools/formats.py -->", "<!-- end -->"
        start = text.index(mark) + len(mark)
        stop = text.index(end, start)
        DOCUMENT.write_text(f"{text[:start]}\n\n{rows}\n\n{text[stop:]}")


if __name__ == "__main__":
    main()
