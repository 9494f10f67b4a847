# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages, slab caches, zones and translation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drgn import Program, cast

from .common import Question, linux, printed, text


def _slabs(prog: Program) -> Any:
    return [
        [
            int(cache),
            text(cache.name.string_()),
            cache.size.value_(),
            [int(n) for n in linux.slab_cache_usage(cache)],
        ]
        for cache in linux.for_each_slab_cache(prog)
    ]


def _slab_objects(prog: Program) -> Any:
    caches = [linux.find_slab_cache(prog, name) for name in ("mm_struct", "pid", "files_cache")]
    types = ("struct mm_struct", "struct pid", "struct files_struct")
    return [
        [int(found) for found in linux.slab_cache_for_each_allocated_object(cache, kind)]
        for cache, kind in zip(caches, types, strict=True)
    ]


def _memory(prog: Program) -> Any:
    task = prog["init_pid_ns"].child_reaper
    page = linux.virt_to_page(task)
    return [
        int(page),
        int(linux.page_to_phys(page)),
        int(linux.page_to_pfn(page)),
        int(linux.virt_to_phys(task)),
        linux.decode_page_flags(page),
        linux.PageSlab(page),
        int(linux.follow_phys(prog["init_mm"].address_of_(), task)),
        int(linux.totalram_pages(prog)),
        linux.in_direct_map(prog, task),
    ]


def _page_flags(prog: Program) -> Any:
    counts: dict[str, int] = {}
    for number, page in enumerate(linux.for_each_page(prog)):
        if number % 97 == 0:
            flags = linux.decode_page_flags(page)
            counts[flags] = counts.get(flags, 0) + 1
    return counts


def _vmalloc(prog: Program) -> Any:
    return [
        [int(area), area.va_start.value_(), area.va_end.value_()]
        for area in linux.for_each_vmap_area(prog)
    ]


def _zones(prog: Program) -> Any:
    return [
        [text(zone.name.string_()), linux.zone_page_state(zone, prog.constant("NR_FREE_PAGES"))]
        for node in linux.for_each_online_pgdat(prog)
        for zone in node.node_zones
    ]


def _vmstat(prog: Program) -> Any:
    return [
        [
            linux.nr_free_pages(prog),
            linux.global_node_page_state(prog, prog.constant("NR_FILE_PAGES")),
        ],
        linux.global_vm_event_state(prog, prog.constant("PGFAULT")),
    ]


def _page_cache(prog: Program) -> Any:
    exe = prog["init_pid_ns"].child_reaper.mm.exe_file
    return [
        [index, int(cast("unsigned long", page))]
        for index, page in linux.inode_for_each_page(exe.f_inode)
    ]


#: By name, in the order in which they are asked.
QUESTIONS: Mapping[str, Question] = {
    "for_each_slab_cache, slab_cache_usage": _slabs,
    "slab_cache_for_each_allocated_object": _slab_objects,
    "print_slab_caches": printed(linux.print_slab_caches),
    "pages and translation": _memory,
    "decode_page_flags": _page_flags,
    "for_each_vmap_area": _vmalloc,
    "zone_page_state": _zones,
    "global_vm_event_state": _vmstat,
    "inode_for_each_page": _page_cache,
    "for_each_hstate": lambda p: [int(state) for state in linux.for_each_hstate(p)],
    "nodes": lambda p: [[int(n) for n in linux.for_each_online_node(p)], linux.nr_node_ids(p)],
    "memory sections": lambda p: [
        [number, int(section)] for number, section in linux.for_each_present_section(p)
    ],
    "swap": lambda p: [list(linux.swap_total_usage(p)), linux.total_swapcache_pages(p)],
    "find_containing_slab_cache": lambda p: int(
        linux.find_containing_slab_cache(p["init_pid_ns"].child_reaper)
    ),
}
