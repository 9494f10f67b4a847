# SPDX-License-Identifier: GPL-3.0-or-later
"""Our plugin and an extension that owns a Python interpreter, in one real session."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .crash_driver import PLUGIN, ROOT, environment, guest, run_crash

pytestmark = [pytest.mark.crash, pytest.mark.lab]

PROGRAMS = ROOT / "crashext" / "session" / "programs"
HEADER = Path("/usr/include/crash/defs.h")
#: Debian's Python, which the plugin is built against.
PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="module")
def epython(tmp_path_factory: pytest.TempPathFactory) -> str:
    """epython.c, linked with the libpython that the plugin uses."""
    if not HEADER.exists():
        pytest.skip("crash's defs.h is not installed")
    folder = tmp_path_factory.mktemp("epython")
    ask = "import sysconfig; print(sysconfig.get_path('include'), sysconfig.get_python_version())"
    include, version = subprocess.run(
        [PYTHON, "-c", ask], capture_output=True, text=True, check=True
    ).stdout.split()
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-w", f"-I{HEADER.parent}", f"-I{include}", "-DX86_64",
         "-DGDB_10_2", "-o", folder / "epython.so", Path(__file__).with_name("epython.c"),
         f"-lpython{version}"],
        check=True,
    )  # fmt: skip
    (folder / "show.py").write_text(
        "import sys, crash\n"
        "print('alive', sys.argv[1], 'click' in sys.modules,\n"
        "      any('venv' in p or 'packages' in p for p in sys.path))\n"
    )
    return str(folder / "epython.so")


def alive(epython: str, word: str) -> str:
    return f"epython {Path(epython).parent}/show.py {word}"


def run(name: str, options: list[str], commands: list[str], cwd: Path) -> str:
    env = environment(PYKDUMPPATH=str(PROGRAMS))
    return run_crash(guest(name).argv("-s", *options), commands, cwd=cwd, env=env).out


def test_minimal_apply_then_pykdump(epython: str, tmp_path: Path) -> None:
    """The way of PyKdump's users, whose extension refuses a minimal session."""
    case = guest("ovmf-kaslr.kdump")
    out = run(
        "ovmf-kaslr.kdump",
        ["--minimal", "--kaslr=0", "--machdep", "phys_base=0"],
        [f"extend {epython}", f"extend {PLUGIN}", "qemufix detect > /dev/null",
         "qemufix physbase --apply > /dev/null", f"extend {epython}", alive(epython, "first"),
         "qemufix physbase --json > answer", alive(epython, "second"),
         f"epython {PROGRAMS}/qemufix.py physbase --apply | tail -1",
         f"extend -u {PLUGIN}", alive(epython, "third"), "qemufix detect",
         f"epython {PROGRAMS}/qemufix.py --register", "qemufix physbase --json > ours"],
        tmp_path,
    )  # fmt: skip
    assert "no commands registered" in out  # while the session was minimal
    assert "another interpreter was there before" not in out
    assert "alive first False False" in out
    assert "alive second False False" in out
    assert "already: nothing to change" in out
    assert "alive third True False" in out
    for answer in ("answer", "ours"):
        assert case.phys_base in (tmp_path / answer).read_text(), out


def test_pykdump_then_our_plugin(epython: str, tmp_path: Path) -> None:
    case = guest("ovmf-kaslr.kdump")
    out = run(
        "ovmf-kaslr.kdump",
        case.right,
        [f"extend {epython}", alive(epython, "first"), f"extend {PLUGIN}",
         "qemufix physbase --json > answer", alive(epython, "second"),
         "qemufix physbase --apply | tail -1", f"extend -u {epython}",
         "qemufix physbase --json > later", f"extend {epython}",
         "qemufix detect > /dev/null", "sys | head -1"],
        tmp_path,
    )  # fmt: skip
    assert "alive first False False" in out
    assert "alive second False False" in out, "our modules are not in its interpreter"
    assert "already: nothing to change" in out
    assert "Traceback" not in out
    assert "KERNEL" in out
    for answer in ("answer", "later"):
        assert case.phys_base in (tmp_path / answer).read_text(), out


def test_interpreter_of_another_version_is_left_alone(tmp_path: Path) -> None:
    """One line says which way to go."""
    fake = tmp_path / "other.so"
    source = tmp_path / "other.c"
    source.write_text('const char *Py_GetVersion(void) { return "3.7.16 (default)"; }\n'
                      "int Py_IsInitialized(void) { return 1; }\n"
                      f'#include "{HEADER}"\n'
                      "static void c(void) {}\n"
                      'static struct command_table_entry t[] = {{"other", c, 0, MINIMAL}, {0}};\n'
                      "static void __attribute__((constructor)) l(void)"
                      " { register_extension(t); }\n")  # fmt: skip
    subprocess.run(["cc", "-shared", "-fPIC", "-w", "-DX86_64", "-DGDB_10_2", "-o", fake, source],
                   check=True)  # fmt: skip
    out = run(
        "ovmf-kaslr.kdump",
        ["--minimal", "--kaslr=0", "--machdep", "phys_base=0"],
        [f"extend {fake}", f"extend {PLUGIN}", "qemufix detect", "sym linux_banner"],
        tmp_path,
    )
    version = subprocess.run(
        [PYTHON, "-c", "import sysconfig; print(sysconfig.get_python_version())"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    assert f"qemufix: this session already runs Python 3.7.16, not {version}" in out
    assert "(D) linux_banner" in out
