# SPDX-License-Identifier: GPL-3.0-or-later
"""Look-ups in an ELF kernel file, and what is said of files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crashext.dumps.base import ByteOrder
from crashext.errors import SymbolFileError
from crashext.symbols.library import Library, Wanted
from crashext.symbols.vmlinux import Vmlinux, find_build_id
from tests.locate.guest import RODATA, Kernel, notes, write_vmlinux

from .elf_writer import Elf

KERNEL = Kernel()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return write_vmlinux(KERNEL, tmp_path / "vmlinux")


def test_symbols_banner_and_build_id(path: str) -> None:
    with Vmlinux(path) as vmlinux:
        assert {name: vmlinux.symbol(name) for name in KERNEL.symbols()} == KERNEL.symbols()
        assert vmlinux.symbol("no_such_symbol") is None
        assert vmlinux.symbol("text") is None  # only the tail of a name
        assert vmlinux.first("no_such_symbol", "_text") == KERNEL.link
        assert vmlinux.banner == KERNEL.banner
        assert vmlinux.build_id == KERNEL.build_id.hex()
        assert vmlinux.read(KERNEL.link + RODATA + 0x60, 5) == b"Linux"
        assert vmlinux.read(KERNEL.link - 1, 4) is None


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["little", "big"])
def test_every_class_and_byte_order(bits: int, order: ByteOrder, tmp_path: Path) -> None:
    made = Elf(bits, order)
    path = made.write(tmp_path / "vmlinux")
    with Vmlinux(path) as vmlinux:
        assert (vmlinux.bits, vmlinux.byte_order) == (bits, order)
        assert {name: vmlinux.symbol(name) for name in made.symbols} == made.symbols
        assert vmlinux.symbol("undefined") is None
        assert vmlinux.banner == made.banner
        assert vmlinux.build_id == "07" * 20
        assert vmlinux.notes is not None
        assert vmlinux.notes[0] == made.base + 0x200


def test_find_build_id_passes_over_other_notes() -> None:
    other = b"\x04\0\0\0\x05\0\0\0\x06\0\0\0Xen\0hello\0\0\0"
    assert find_build_id(other + notes(b"\xab" * 20)) == "ab" * 20
    assert find_build_id(other) is None
    assert find_build_id(notes(b"\xab" * 20)[:-1]) is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty"),
        (b"hello world", "not an ELF"),
        (b"\0" * 0x202 + b"HdrS" + b"\0" * 512, "bzImage"),
        (b"\x7fELF\x01\x01\x01" + b"\0" * 64, "no symbol table"),
        (b"\x7fELF\x02\x01\x01" + b"\xff" * 64, "ELF"),
    ],
)
def test_what_is_no_vmlinux_is_said_to_be_none(
    content: bytes, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "vmlinux"
    path.write_bytes(content)
    with pytest.raises(SymbolFileError, match=problem):
        Vmlinux(str(path))


def test_a_directory_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SymbolFileError, match="directory"):
        Vmlinux(str(tmp_path))
    with pytest.raises(SymbolFileError, match="no such file"):
        Vmlinux(str(tmp_path / "missing"))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damage_is_an_error_or_an_answer(path: str, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(Path(path).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = tmp_path / "damaged"
    damaged.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        with Vmlinux(str(damaged)) as vmlinux:
            for name in ("_text", "linux_banner"):
                vmlinux.symbol(name)
            assert vmlinux.banner is None or vmlinux.banner.startswith(b"Linux version ")
            assert vmlinux.build_id is None or isinstance(vmlinux.build_id, str)
    except SymbolFileError:
        pass


def test_a_library_gives_the_builds_that_match(tmp_path: Path) -> None:
    wrong = write_vmlinux(Kernel(release="5.0", build_id=bytes(20)), tmp_path / "vmlinux-5.0")
    right = write_vmlinux(KERNEL, tmp_path / "vmlinux-6.1")
    junk = tmp_path / "vmlinux-junk"
    junk.write_bytes(b"junk")
    given = [str(junk), wrong, right]
    by_id = Wanted(frozenset([KERNEL.build_id.hex()]), frozenset(), frozenset())
    by_banner = Wanted(frozenset(), frozenset([KERNEL.banner]), frozenset())
    nobody = Wanted(frozenset(["00" * 10]), frozenset(), frozenset())
    for paths in (given, given[::-1], [str(tmp_path)]):
        for wanted in (by_id, by_banner):
            assert [b.path for b in Library(paths).builds(wanted, 8)] == [right]
        assert {b.path for b in Library(paths).builds(nobody, 8)} == {wrong, right}
        assert {b.path for b in Library(paths).builds(None, 8)} == {wrong, right}
    only_junk = Library([str(junk)])
    assert only_junk.builds(None, 8) == []
    assert isinstance(only_junk.problem, SymbolFileError)
