# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 -m lab``: make real dumps (see ``--help``)."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from .derived import DERIVED
from .errors import LabError, Unavailable
from .scenario import Group
from .scenarios import SCENARIOS
from .sysroot import EMULATORS, make_root


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return the exit status (0 done, 1 something failed)."""
    options = _parser().parse_args(argv)
    try:
        return int(options.command(options))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m lab", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="list the scenarios")
    listing.set_defaults(command=_list)
    dumps = commands.add_parser("dumps", help="boot guests and dump them into lab/dumps")
    dumps.add_argument("names", nargs="*", metavar="SCENARIO", help="only these")
    dumps.add_argument("--group", action="append", choices=get_args(Group))
    dumps.add_argument("--jobs", type=int, default=2, help="guests at a time (default 2)")
    dumps.set_defaults(command=_dumps)
    bare = commands.add_parser("bare", help="boot one guest, and fetch no debug package for it")
    bare.add_argument("name", metavar="SCENARIO")
    bare.add_argument("folder", type=Path, help="where its dump and truth go")
    bare.set_defaults(command=_bare)
    cutter = commands.add_parser("cut", help="cut one dump down to what the search touches")
    cutter.add_argument("dump", type=Path)
    cutter.add_argument("--vmlinux", type=Path, action="append", default=[], metavar="FILE")
    cutter.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    cutter.set_defaults(command=_cut)
    samples = commands.add_parser("samples", help="cut the lab's dumps into sample_dumps")
    samples.add_argument("names", nargs="*", metavar="SCENARIO", help="only these")
    samples.set_defaults(command=_samples)
    root = commands.add_parser("root", help="unpack another architecture's crash into lab/cache")
    root.add_argument("arch", choices=EMULATORS, help="Debian's name of it")
    root.set_defaults(command=_root)
    states = commands.add_parser("states", help="make docs/states.md: crash and qemufix on each")
    states.set_defaults(command=_states)
    peers = commands.add_parser("peers", help="make docs/repair-table.md: tools before and after")
    peers.add_argument("names", nargs="*", metavar="SCENARIO", help="ask about these alone again")
    peers.set_defaults(command=_peers)
    types = commands.add_parser("globals", help="make the table of the types of globals")
    types.add_argument(
        "files", nargs="+", type=Path, metavar="VMLINUX", help="with debug information"
    )
    types.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: the one shipped")
    types.set_defaults(command=_globals)
    same = commands.add_parser("same", help="make docs/vmlinux-table.md: made and debug vmlinux")
    same.add_argument("names", nargs="*", metavar="SCENARIO", help="ask about these alone again")
    same.add_argument("--crash", metavar="PROGRAM", help="another crash, asked about SCENARIOs")
    same.set_defaults(command=_same)
    versions = commands.add_parser("versions", help="make docs/versions.md: what works with what")
    versions.add_argument(
        "--root",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="another system in a folder: its crash, with its header, and its Pythons",
    )
    versions.add_argument("--crash", metavar="VERSION", help="with this crash alone")
    versions.add_argument("--every", action="store_true", help="each Python on each guest as well")
    versions.add_argument("--again", action="store_true", help="also what was tried before")
    versions.set_defaults(command=_versions)
    return parser


def _versions(options: argparse.Namespace) -> int:
    from .guests import DUMPS
    from .versions.course import try_all

    failed = try_all(
        DUMPS,
        _say,
        roots=options.root,
        crash=options.crash,
        every=options.every,
        again=options.again,
    )
    return 1 if failed else 0


def _globals(options: argparse.Namespace) -> int:
    from crashext.rebuild.globals.table import FILE

    from .global_table import write_table

    write_table(options.files, options.output or FILE, _say)
    return 0


def _states(_: argparse.Namespace) -> int:
    from .batch import alone
    from .crash import make_programs
    from .guests import DUMPS
    from .states import write_table

    with alone(_say):
        make_programs(_say)
    write_table(DUMPS, Path(__file__).parents[1] / "docs" / "states.md")
    return 0


def _peers(options: argparse.Namespace) -> int:
    from .batch import alone
    from .crash import make_programs
    from .guests import DUMPS
    from .peer_table import write_table

    with alone(_say):
        make_programs(_say)
    page = Path(__file__).parents[1] / "docs" / "repair-table.md"
    write_table(DUMPS, page, _say, options.names)
    return 0


def _same(options: argparse.Namespace) -> int:
    from .guests import DUMPS
    from .same.page import write_table

    page = Path(__file__).parents[1] / "docs" / "vmlinux-table.md"
    return 1 if write_table(DUMPS, page, _say, options.names, program=options.crash) else 0


def _list(_: argparse.Namespace) -> int:
    rows: list[tuple[str, str, str]] = [(s.group, s.name, s.shows) for s in SCENARIOS]
    rows += [(d.group, d.name, d.shows) for d in DERIVED]
    for group, name, shows in rows:
        print(f"{group:7} {name:18} {shows}")
    return 0


def _dumps(options: argparse.Namespace) -> int:
    from .batch import make_all

    return make_all(options.names, options.group or ["core"], jobs=options.jobs, say=_say)


def _bare(options: argparse.Namespace) -> int:
    from .batch import alone
    from .guests import make

    scenario = next((s for s in SCENARIOS if s.name == options.name), None)
    if scenario is None:
        raise LabError(f"no scenario {options.name} (see `python3 -m lab list`)")
    with alone(_say):
        make(scenario, _say, directory=options.folder, debug=False)
    return 0


def _cut(options: argparse.Namespace) -> int:
    from crashext.errors import CrashExtError

    from .cut import cut

    try:
        size = cut(options.dump, options.vmlinux, options.output)
    except CrashExtError as error:
        raise LabError(str(error)) from error
    _say(f"{options.output}: {size} bytes")
    return 0


def _samples(options: argparse.Namespace) -> int:
    from .samples import make_samples

    make_samples(options.names, _say)
    return 0


def _root(options: argparse.Namespace) -> int:
    from .batch import alone

    try:
        with alone(_say):
            make_root(options.arch, _say)
    except Unavailable as problem:
        _say(f"root {options.arch}: left out: {problem}")
    return 0


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
