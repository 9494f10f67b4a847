# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that debuggers ask for and nothing names: which functions use each.

All of the functions that a kernel has must use it, two at the least where its sign says little;
then nothing else may be used by all and have the sign. Functions with a bar between are one that
has changed its name. Held against the debug vmlinux of two series (tests/kernel).
"""

from __future__ import annotations

from dataclasses import dataclass

from . import signs
from .signs import Sign, anything


@dataclass(frozen=True, slots=True)
class Wanted:
    """A variable, functions that use it, and its sign; so many of them must be there."""

    name: str
    functions: str
    sign: Sign = anything
    enough: int = 2


#: Flags of the roots of trees: since 4.20, since 6.5 (kernel/irq/irqdesc.c).
_GFP_KERNEL, _MAPLE_TREE = 0xCC0, 0x303
_OPERATIONS = "file_operations"

# fmt: off
#: What comes first helps to tell what comes later.
WANTED = (
    # Tasks, modules, time.
    Wanted("__per_cpu_end", "__is_kernel_percpu_address", signs.ends_per_cpu, 1),
    Wanted("nr_threads", "do_sysinfo loadavg_proc_show release_task", signs.below(1 << 22)),
    Wanted("modules", "module_kallsyms_lookup_name lookup_module_symbol_name"
           " module_get_kallsym __is_module_percpu_address", signs.is_list),
    Wanted("btf_modules", "btf_module_notify", signs.is_list_of_module_types, 1),
    Wanted("tk_core", "getboottime64 timekeeping_valid_for_hres timekeeping_max_deferment"
           " ktime_get_resolution_ns ktime_mono_to_any", signs.is_clock),
    Wanted("shadow_timekeeper", "timekeeping_update timekeeping_advance", signs.is_other_clock),
    Wanted("root_task_group", "cpu_cgroup_css_alloc sched_group_set_idle task_wants_autogroup"),
    Wanted("task_state_array", "do_task_stat proc_pid_status", signs.text("R (running)")),
    # Interrupts, panics, what the kernel says of itself.
    Wanted("irq_desc_tree", "generic_handle_irq irq_to_desc __irq_get_desc_lock",
           signs.flags(_GFP_KERNEL)),
    Wanted("sparse_irqs", "generic_handle_irq irq_to_desc __irq_get_desc_lock",
           signs.flags(_MAPLE_TREE)),
    Wanted("softirq_vec", "open_softirq handle_softirqs|__do_softirq",
           signs.first_is("tasklet_hi_action")),
    Wanted("crash_notes", "crash_notes_show crash_save_cpu"),
    Wanted("vmcoreinfo_data", "crash_save_vmcoreinfo", signs.text("OSRELEASE="), 1),
    Wanted("vmcoreinfo_size", "get_kcore_size vmcoreinfo_append_str crash_save_vmcoreinfo"),
    Wanted("saved_command_line", "cmdline_proc_show do_sysctl_args", signs.text()),
    Wanted("tainted_mask", "get_taint test_taint add_taint panic", signs.below(1 << 24)),
    Wanted("taint_flags", "module_flags_taint|print_tainted", signs.starts_with(b"PG"), 1),
    Wanted("dmi_ident", "dmi_get_system_info dmi_match dmi_name_in_vendors", signs.is_texts),
    # Memory.
    Wanted("max_pfn", "dma_direct_get_required_mask kpageflags_read kpagecount_read"),
    Wanted("slab_caches", "slab_next slab_start slab_show",
           signs.list_of("kmem_cache", "list", "name")),
    Wanted("kmem_cache", "slab_kmem_cache_release", signs.cache("kmem_cache"), 1),
    Wanted("vm_area_cachep", "vm_area_dup vm_area_alloc", signs.cache("vm_area_struct")),
    Wanted("nr_swapfiles", "count_swap_pages find_first_swap si_swapinfo swapcache_free_entries",
           signs.below(64)),
    Wanted("swap_info", "swap_next swap_start swapdev_block get_swap_page_of_type"),
    Wanted("swapper_spaces", "folio_mapping get_shadow_from_swap_cache exit_swap_address_space"),
    Wanted("nr_swapper_spaces", "exit_swap_address_space init_swap_address_space",
           signs.counts_of("swapper_spaces")),
    Wanted("hstates", "size_to_hstate hugetlb_report_node_meminfo",
           signs.named("hstate", "name", "hugepages-")),
    Wanted("huge_zero_pfn", "walk_pud_range mlock_pte_range copy_huge_pmd do_huge_pmd_wp_page"),
    Wanted("sysctl_overcommit_memory", "mm_compute_batch_notifier overcommit_policy_handler"
           " __vm_enough_memory do_mmap", signs.below(3)),
    Wanted("sysctl_overcommit_kbytes",
           "overcommit_ratio_handler vm_commit_limit __vm_enough_memory"),
    Wanted("sysctl_overcommit_ratio", "overcommit_kbytes_handler", signs.below(1001), 1),
    Wanted("vm_committed_as", "vm_memory_committed sync_overcommit_as insert_vm_struct"),
    Wanted("pageflag_names", "flags_string", signs.named("trace_print_flags", "name", "locked"), 1),
    Wanted("memory_subsys", "for_each_memory_block add_memory_block",
           signs.named("bus_type", "name", "memory")),
    # Files and devices.
    Wanted("super_blocks", "sget sget_fc", signs.list_of("super_block", "s_list", "s_id")),
    Wanted("file_systems", "register_filesystem unregister_filesystem",
           signs.named("file_system_type", "name", pointer=True)),
    Wanted("block_class", "devtmpfs_create_node disk_seqf_start __alloc_disk_node",
           signs.named("class", "name", "block")),
    Wanted("disk_type", "disk_seqf_start __alloc_disk_node",
           signs.named("device_type", "name", "disk")),
    Wanted("cdev_map", "cdev_add cdev_del chrdev_open"),
    Wanted("chrdevs", "chrdev_show __register_chrdev_region",
           signs.table_of("char_device_struct", "major")),
    Wanted("major_names", "blkdev_show unregister_blkdev",
           signs.table_of("blk_major_name", "major")),
    Wanted("class_kset", "class_compat_register __class_register|class_register",
           signs.kset_of("class")),
    Wanted("bus_kset", "bus_register|bus_to_subsys", signs.kset_of("bus"), 1),
    Wanted("sock_mnt", "sock_alloc_file sock_alloc", signs.mount_of("sockfs")),
    Wanted("pipe_mnt", "create_pipe_files", signs.mount_of("pipefs"), 1),
    Wanted("hugetlbfs_file_operations", "hugetlb_file_setup",
           signs.member_is(_OPERATIONS, "mmap", "hugetlbfs_file_mmap"), 1),
    Wanted("shm_file_operations_huge", "is_file_shm_hugepages",
           signs.member_is(_OPERATIONS, "mmap", "shm_mmap"), 1),
    Wanted("shm_file_operations", "do_shmat", signs.member_is(_OPERATIONS, "mmap", "shm_mmap"), 1),
    # Networks and programs.
    Wanted("tcpv6_protocol", "tcpv6_exit", signs.protocol("tcp_v6_rcv", "tcpv6_protocol"), 1),
    Wanted("udpv6_protocol", "udpv6_exit", signs.protocol("udpv6_rcv", "udpv6_protocol"), 1),
    Wanted("map_idr", "bpf_map_free_id bpf_map_get_curr_or_next", signs.is_idr),
    Wanted("prog_idr", "bpf_prog_free_id bpf_prog_by_id bpf_prog_get_curr_or_next", signs.is_idr),
)
# fmt: on
