# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``triage``, as click declares it."""

from __future__ import annotations

from typing import Any

import click

from ..job import Job
from .options import of_triage


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("-s", "--store", metavar="FILE", help="Keep the rows in FILE, and go on from there.")
@click.option("--again", is_flag=True, help="Look at what the store knows already, too.")
@click.option(
    "-j", "--jobs", metavar="N", type=click.IntRange(1),
    help="So many dumps at a time; as many as there are cores if not given.",
)  # fmt: skip
@click.option("--scheduler", metavar="URL", help="Have the Dask cluster there do it (tcp://...).")
@click.option("--time-limit", metavar="SECONDS", type=click.FloatRange(0, min_open=True),
              default=300.0, help="For each dump; 300 if not given.")  # fmt: skip
@click.option("--memory-limit", metavar="SIZE", default="1G", help="Likewise; 1G if not given.")
@click.option("--max-read", metavar="SIZE", default="256M",
              help="Of each file that isn't local; 256M if not given.")  # fmt: skip
@of_triage
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each (schema 1).")
@click.pass_obj
def triage(job: Job, /, **options: Any) -> int:
    """Look at many dumps where they lie: which kernel, what happened, what to do with each.

    PATH is a file, a folder, a pattern, or a URL of one (s3://, sftp://, http://, ... through
    fsspec). Where stdout is no terminal each dump is a line of JSON. Exit status 0: all can be
    opened, as they are or repaired; 1: some can't; 3: nothing was readable.

    \b
      qemufix triage /var/lib/libvirt/qemu/dump
      qemufix triage s3://dumps/2026/ --store dumps.sqlite > rows.jsonl
      qemufix triage s3://dumps/2026/ --store dumps.sqlite --scheduler tcp://dask:8786
      qemufix triage --store dumps.sqlite -o fleet.html
      qemufix triage --watch /var/lib/libvirt/qemu/dump --exec 'logger -- {} {panic}'
      qemufix triage '/srv/dumps/*.kdump' | jq -r 'select(.panic) | [.url, .panic] | @tsv'
    """
    from .course import Options, run_triage

    return run_triage(job, Options(**options))
