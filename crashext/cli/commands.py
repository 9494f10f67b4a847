# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands and their options, as click declares them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

import click

from .. import __version__
from .cache import cache
from .job import Job
from .options import (
    in_json,
    of_cost,
    of_detail,
    of_dumps,
    of_fetching,
    of_kernel,
    of_raw_memory,
    with_vmlinux,
)
from .passing_on import PassingOn
from .triage.command import triage

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 90}


def execute(argv: Sequence[str], job: Job) -> int:
    """Parse and run one command line; returns the exit status.

    Errors of crashext, interrupts and I/O errors pass through.
    """
    try:
        # click prints help and version itself, to sys.stdout.
        with redirect_stdout(job.out):
            status = cli.main(list(argv) or ["--help"], "qemufix", standalone_mode=False, obj=job)
    except click.UsageError as error:
        command = f"{error.ctx.info_name}: " if error.ctx and error.ctx.parent else ""
        print(f"qemufix: {command}{error.format_message()}", file=job.err, flush=True)
        return 2
    except click.Abort:
        raise KeyboardInterrupt from None
    return int(status or 0) if argv else 2


def say_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print the version, and where the crash extension is."""
    if not wanted or ctx.resilient_parsing:
        return
    from .plugin_file import plugin_text

    click.echo(f"qemufix {__version__}\n{plugin_text()}")
    ctx.exit()


@click.group(
    context_settings=HELP,
    epilog="Exit status: 0 yes or found, 1 answered no, 2 usage, 3 unreadable or damaged file.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=say_version,
    help="Print the version, and where the crash extension is.",
)
def cli() -> None:
    """Find the Linux kernel in a guest-memory dump that QEMU or libvirt wrote.

    \b
      qemufix detect guest.kdump                       who wrote it, what is in it
      qemufix physbase guest.kdump --vmlinux vmlinux   where the kernel is
      qemufix repair guest.kdump --in-place            make the dump right for every tool
      qemufix crash guest.kdump --vmlinux vmlinux      start crash on it; drgn, gdb likewise

    \b
    In a crash session that came up wrong:
      crash> extend qemufix.so
      crash> qemufix physbase --apply
    """


@cli.command()
@of_dumps
@of_raw_memory
@of_cost
@in_json
@of_detail
@click.pass_obj
def detect(job: Job, /, dumps: tuple[str, ...], as_json: bool, **detail: bool) -> int:
    """Say who wrote the dump, and what it holds.

    Several DUMP files are the parts of one split set. Exit status 0: QEMU wrote it;
    1: another tool did, or nothing tells.

    \b
      qemufix detect guest.elf
      qemufix detect --json guest.kdump | jq .origin
    """
    from ..detect import detect as detect_origin
    from .detection import detection_text
    from .progress import Progress

    with Progress(job.err) as progress, job.open_dump(dumps, progress) as dump:
        answer = detect_origin(dump)
    job.answer(answer, detection_text(answer, verbose=any(detail.values())), as_json=as_json)
    return 0 if answer.from_qemu else 1


@cli.command()
@of_dumps
@with_vmlinux
@of_raw_memory
@of_cost
@in_json
@click.option("--no-cpu-state", is_flag=True, help="Do not use the vCPUs' saved registers.")
@click.option("--all", "everything", is_flag=True, help="Search all RAM, list every kernel.")
@of_kernel
@of_fetching
@click.option("--apply", is_flag=True, help="Inside crash: put the running session right.")
@click.option("--restart", is_flag=True, help="With --apply: start crash anew in place.")
@click.option("--dry-run", is_flag=True, help="Only say what --apply would do.")
@click.option("--quiet", is_flag=True, help="With --apply: nothing needed, nothing said.")
@click.option("--undo", is_flag=True, help="Inside crash: back to the session as it was started.")
@of_detail
@click.pass_obj
def physbase(job: Job, /, **options: Any) -> int:
    """Find where the kernel is: phys_base and the KASLR offset.

    Exit status 0: found; 1: no kernel was found, or the evidence conflicts.

    \b
      qemufix physbase guest.elf --vmlinux /usr/lib/debug/boot/vmlinux-6.1.0
      qemufix physbase guest.elf --json | jq -r '.crash_args[]'

    \b
    Inside crash the dump and the kernel are the session's:
      crash> qemufix physbase --apply
    """
    from .physbase import Options, run_physbase

    return run_physbase(job, Options(**options))


@cli.command()
@in_json
@click.pass_obj
def status(job: Job, as_json: bool) -> int:
    """Inside crash: say what was applied in this session, and by what evidence.

    Exit status 0: something was, and is in force; 1: nothing is.

    \b
      crash> qemufix status
    """
    from .status import run_status

    return run_status(job, as_json=as_json)


@cli.command()
@of_dumps
@click.option("-o", "--output", metavar="OUT", help="Write a new file; - is stdout (flattened).")
@click.option("--in-place", is_flag=True, help="Change the dump itself: a few KB, undoable.")
@click.option("--undo", is_flag=True, help="Put a dump repaired in place back, bit for bit.")
@with_vmlinux
@of_kernel
@click.option("--to", type=click.Choice(["elf", "kdump"]), help="Write OUT in that format.")
@click.option(
    "--compress",
    type=click.Choice(["zlib", "lzo", "snappy", "zstd", "none", "keep"]),
    help="How pages of OUT are compressed; keep if not given.",
)
@click.option("--force", is_flag=True, help="Even where it isn't certain where the kernel is.")
@click.option("--dry-run", is_flag=True, help="Only list the changes.")
@of_raw_memory
@of_cost
@in_json
@click.pass_obj
def repair(job: Job, /, **options: Any) -> int:
    """Make the dump itself right, for every tool.

    VMCOREINFO is recovered from the guest's memory, verified and put into the file, its
    headers say what tools expect. Memory stays as it is. Exit status 0: done, or nothing
    to do; 1: not certain enough.

    \b
      qemufix repair guest.elf -o right.elf
      qemufix repair guest.kdump --in-place
      qemufix repair guest.kdump --undo
      qemufix repair guest.elf -o small.kdump --to kdump --compress zstd
    """
    from .repair import Options, run_repair

    return run_repair(job, Options(**options))


@cli.command()
@of_dumps
@with_vmlinux
@of_kernel
@of_raw_memory
@of_cost
@in_json
@click.pass_obj
def vmcoreinfo(job: Job, /, **options: Any) -> int:
    """Print the dump's VMCOREINFO: recovered, verified, completed.

    For tools that take it by hand. Exit status 1: no kernel was found.

    \b
      qemufix vmcoreinfo guest.elf > info; drgn --vmcoreinfo info -c guest.elf
    """
    from .repair import run_vmcoreinfo

    return run_vmcoreinfo(job, **options)


@cli.command()
@of_dumps
@click.option("-o", "--output", metavar="FILE", help="Where it goes.")
@of_kernel
@click.option("--no-image", is_flag=True, help="Leave the kernel's code and data out.")
@click.option(
    "--old-crash/--new-crash",
    default=None,
    help="Made for crash before 8.0.4, or since; for the one in PATH if not given.",
)
@of_raw_memory
@of_cost
@in_json
@click.pass_obj
def vmlinux(job: Job, /, **options: Any) -> int:
    """Make a vmlinux from the dump itself, in place of a debug package's.

    Symbols, types and unwind tables are those that the kernel carries with it. Exit status 1:
    no kernel was found, or it has no symbol table.

    \b
      qemufix vmlinux guest.kdump -o vmlinux
      qemufix vmlinux guest.kdump -o vmlinux --json | jq .missing
    """
    from .vmlinux import Options, run_vmlinux

    return run_vmlinux(job, Options(**options))


@cli.command()
@of_dumps
@click.option("-T", "--ctime", "wall_clock", is_flag=True, help="Show the time of day, in UTC.")
@click.option(
    "-l", "--level", metavar="LEVEL,...", multiple=True,
    help="Only messages of these levels: emerg, alert, crit, err, warn, notice, info, debug; "
    "+err is err and worse, err+ err and what is less.",
)  # fmt: skip
@with_vmlinux
@of_kernel
@of_raw_memory
@of_cost
@in_json
@click.pass_obj
def dmesg(job: Job, /, **options: Any) -> int:
    """Print the kernel's log, from the dump alone.

    What was being written at that moment is left out, and said. Exit status 1: no kernel was
    found, or its log isn't in the dump.

    \b
      qemufix dmesg guest.kdump | tail
      qemufix dmesg guest.kdump -T --level +err
      qemufix dmesg guest.kdump --json | jq -r '.records[-1].text'
    """
    from .dmesg import Options, run_dmesg

    return run_dmesg(job, Options(**options))


@cli.command()
@of_dumps
@click.option("-o", "--output", metavar="FILE", help="Write a page (HTML), complete in itself.")
@click.option("--svg", metavar="FILE", help="Write the memory map alone.")
@click.option("--png", metavar="FILE", help="Likewise, in pixels.")
@click.option("--no-page-map", "page_map", is_flag=True, flag_value=False, default=True,
              help="Leave the map of page kinds out of the page.")  # fmt: skip
@click.option(
    "--all", "everything", is_flag=True, help="Search all RAM: show every kernel left in it."
)
@with_vmlinux
@of_kernel
@of_raw_memory
@of_cost
@in_json
@click.pass_obj
def report(job: Job, /, **options: Any) -> int:
    """Say what happened in this guest: kernel, times, panic, vCPUs, tasks, log.

    From the dump alone, through the kernel's own symbols and types. Exit status 1: no kernel
    was found.

    \b
      qemufix report guest.kdump
      qemufix report guest.kdump --json | jq .panic
      qemufix report guest.kdump -o report.html
    """
    from .report import Options, run_report

    return run_report(job, Options(**options))


def _starter(name: str, help: str) -> None:
    """Declare the command that starts the tool ``name``."""

    @cli.command(name, cls=PassingOn, context_settings=HELP, help=help)
    @click.argument("words", metavar="DUMP... [OPTIONS OF THE TOOL]...", nargs=-1,
                    type=click.UNPROCESSED)  # fmt: skip
    @with_vmlinux
    @of_kernel
    @click.option(f"--{name}", "program", metavar="PROGRAM", help=f"Start this {name}.")
    @of_fetching
    @of_raw_memory
    @of_cost
    @click.option("--dry-run", "--print", "dry_run", is_flag=True, help="Only print the command.")
    @click.pass_obj
    def command(job: Job, /, **options: Any) -> int:
        from .opening import Options
        from .start import start

        return start(job, name, Options(**options))


_starter(
    "crash",
    """Find the kernel, then start crash with the answer.

    Without a vmlinux the one that is installed is taken, else one is made from the dump.
    What crash can't open, it is shown repaired; the file stays as it is. The first word that
    begins with - and is no option of ours, and whatever follows it, is passed on to crash.

    \b
      qemufix crash guest.kdump
      qemufix crash guest.kdump --vmlinux vmlinux
      qemufix crash vmlinux guest.kdump -s -i commands.txt
      qemufix crash guest.kdump --vmlinux vmlinux --crash ./other-crash
    """,
)
_starter(
    "drgn",
    """Find the kernel, then start drgn on the dump, repaired where need be.

    \b
      qemufix drgn guest.kdump --vmlinux vmlinux
      qemufix drgn guest.kdump --vmlinux vmlinux -- script.py
    """,
)
_starter(
    "gdb",
    """Find the kernel, then start gdb on the dump as an ELF core with virtual addresses.

    \b
      qemufix gdb guest.kdump --vmlinux vmlinux
      qemufix gdb guest.kdump --vmlinux vmlinux -batch -ex 'info threads'
    """,
)

cli.add_command(triage)
cli.add_command(cache)
