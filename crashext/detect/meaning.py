# SPDX-License-Identifier: GPL-3.0-or-later
"""What the traces of a dump's writer are, in words."""

from __future__ import annotations

#: By :attr:`crashext.detect.result.Evidence.name`.
MEANINGS = {
    "qemu_cpu_notes": "notes with the state of the CPUs; only QEMU writes such",
    "note_order": "QEMU writes all CORE notes, then all QEMU notes, then the guest's own",
    "prstatus_pids": "QEMU numbers the CPUs from 1 where a kernel puts the pids of its tasks",
    "guest_had_crashed": "the kernel noted when it crashed; that says nothing about the writer",
    "eraseinfo_note": "makedumpfile notes what it was told to wipe",
    "repair_note": "a repaired dump says who wrote it; its headers don't any more",
    "segment_flags": "QEMU leaves the flags and the alignment of segments 0; kernels set them",
    "header_layout": "QEMU puts the section headers before the program headers since 7.2",
    "e_ehsize": "QEMU since 7.2 has the size of a pointer as that of the ELF header",
    "kernel_segment": "/proc/vmcore has a segment for the kernel's image",
    "left_out": "makedumpfile cuts segments short where it leaves pages out",
    "avml_headers": "the headers of AVML",
    "lime_headers": "the headers of LiME",
    "migration_stream": "QEMU's own format for a guest that moves or is saved",
    "device_sections": "the state of devices, which only QEMU has",
    "utsname": "QEMU fills in the machine alone; makedumpfile knows the kernel",
    "timestamp": "QEMU leaves the time 0; makedumpfile fills it in",
    "dump_level": "QEMU always writes 1; makedumpfile what -d said",
    "status": "how pages are compressed; some flags only makedumpfile has",
    "header_version": "QEMU writes version 6",
    "nr_cpus": "QEMU writes a note for each CPU that it counts",
    "bitmaps": "QEMU writes one bitmap twice; makedumpfile leaves pages out of the second",
    "container": "QEMU's compressed dumps are flattened, unless kdump-raw was asked for",
    "split": "only makedumpfile splits a dump",
}


def writer(origin: str) -> str:
    """Who ``Detection.origin`` names; not "unknown"."""
    return {"qemu": "QEMU", "kdump": "the kernel (kdump)"}.get(origin, origin)
