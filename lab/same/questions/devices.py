# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices, file systems, networks, modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drgn import Program

from .common import Question, linux, printed, text


def _mounts(prog: Program) -> Any:
    return [
        [
            int(mount),
            text(linux.mount_src(mount)),
            text(linux.mount_dst(mount)),
            text(linux.mount_fstype(mount)),
        ]
        for mount in linux.for_each_mount(prog)
    ]


def _modules(prog: Program) -> Any:
    return [
        [
            int(module),
            text(module.name.string_()),
            linux.module_taints(module),
            [list(region) for region in linux.module_address_regions(module)],
        ]
        for module in linux.for_each_module(prog)
    ]


def _disks(prog: Program) -> Any:
    return [
        [
            int(disk),
            text(linux.disk_name(disk)),
            [text(linux.part_name(part)) for part in linux.for_each_partition(prog)],
        ]
        for disk in linux.for_each_disk(prog)
    ]


def _net(prog: Program) -> Any:
    return [
        [
            int(net),
            int(device),
            text(linux.netdev_name(device)),
            device.mtu.value_(),
            [str(a) for a in linux.netdev_ipv4_addrs(device)],
            [str(a) for a in linux.netdev_ipv6_addrs(device)],
        ]
        for net in linux.for_each_net(prog)
        for device in linux.for_each_netdev(net)
    ]


def _irqs(prog: Program) -> Any:
    return [
        [
            number,
            int(desc),
            [text(n) for n in linux.irq_desc_action_names(desc)],
            text(linux.irq_desc_chip_name(desc) or b""),
        ]
        for number, desc in linux.for_each_irq_desc(prog)
    ]


def _resources(prog: Program) -> Any:
    return [
        [int(r), r.start.value_(), r.end.value_(), text(r.name.string_()) if r.name else None]
        for r in linux.for_each_resource(prog["iomem_resource"].address_of_())
    ]


def _devices(prog: Program) -> Any:
    return {
        "chr": [[major, str(name)] for major, *name in linux.for_each_registered_chrdev(prog)],
        "pci": [str(linux.pci_name(device)) for device in linux.for_each_pci_dev(prog)],
        "block": [
            int(device) for device in linux.class_for_each_device(prog["block_class"].address_of_())
        ],
    }


#: By name, in the order in which they are asked.
QUESTIONS: Mapping[str, Question] = {
    "for_each_mount": _mounts,
    "for_each_module": _modules,
    "for_each_disk, for_each_partition": _disks,
    "print_disks": printed(linux.print_disks),
    "for_each_net, for_each_netdev": _net,
    "for_each_irq_desc": _irqs,
    "for_each_resource": _resources,
    "devices": _devices,
    "sysfs_listdir": lambda p: [text(name) for name in linux.sysfs_listdir(p, "devices")],
}
