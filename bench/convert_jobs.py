# SPDX-License-Identifier: GPL-3.0-or-later
"""One writing job in a process of its own: ``python -m bench.convert_jobs JOB FILE OUT [N]``.

JOB is elf, flat, plain, copy or a compression, N how many processes work.
"""

from __future__ import annotations

import os
import sys

from crashext import Dump, open_dump
from crashext.dumps.flattened import FlattenedSource
from crashext.dumps.source import FileSource
from crashext.repair.headers import Headers
from crashext.repair.write.copying import copy_file, plain_of
from crashext.repair.write.elf_file import write_elf
from crashext.repair.write.kdump_file import write_kdump
from crashext.repair.write.sink import FileSink, FlatSink


def headers_of(dump: Dump) -> Headers:
    """What the dump says of itself; makedumpfile wants a phys_base and utsname that are right."""
    header, bits = dump.header, getattr(dump.header, "bits", 64)
    facts = {
        name: getattr(header, name)
        for name in ("phys_base", "utsname", "timestamp", "nr_cpus")
        if hasattr(header, name)
    }
    return Headers(dump.arch, dump.byte_order, bits, dump.notes, page_size=dump.page_size, **facts)


def main() -> None:
    """Run the job that the command line names."""
    job, path, out, *more = sys.argv[1:]
    threads = int(more[0]) if more else None
    fd = os.open(out, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    if job == "copy":
        copy_file(os.open(path, os.O_RDONLY), fd)
    elif job == "plain":
        plain_of(FlattenedSource(FileSource(path)), FileSink(fd))
    else:
        with open_dump(path) as dump:
            headers = headers_of(dump)
            if job == "elf":
                write_elf(dump, headers, FileSink(fd), threads=threads)
            elif job == "flat":
                write_kdump(dump, headers, FlatSink(fd), compression="keep", threads=threads)
            else:
                write_kdump(dump, headers, FileSink(fd), compression=job, threads=threads)
    os.close(fd)


if __name__ == "__main__":
    main()
