# SPDX-License-Identifier: GPL-3.0-or-later
"""Types as drgn has them, written as crashext/rebuild/globals/expression.py has it.

The lengths of arrays are numbers here. Besides: which variables are of no use to anybody.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from crashext.rebuild.globals.expression import Expression, Length, Qualifier

#: Variables of the kernel's build, its tracing and the compiler, which nobody asks for by name.
_MADE = re.compile(
    r".*[.]|.*(descriptor|__key|_rs|___done)$|str__|types__|args__|event_|trace_event_|print_fmt_"
    r"|TRACE_SYSTEM_|inat_|security_hook_active_|lsm_\w+_idx|_note_|__("
    r"ksymtab_|UNIQUE_ID|initcall|exitcall|setup_|param_|modver_|event_|syscall_meta_"
    r"|p_syscall_meta_|tracepoint_|tpstrtab_|bpf_trace_|TRACE_SYSTEM_|tp_|SCK__|SCT__|addressable"
    r"|already_done|compound_literal|bpf_raw_tp|func__|warned|export_|pstr__|kunit)"
)
#: Types of what a driver or file system registers once: a third of all variables.
_REGISTERED = re.compile(
    r"[a-z0-9]+_(device|system)_id|x86_cpu_id|ap_device_id|(bin_|device_|driver_|kobj_|bus_|class_"
    r"|slab_|ext4_)?attr(ibute)?(_group)?|dev_ext_attribute|perf_pmu_events?_.*attr|pmu_event"
    r"|events?_attr|elv_fs_entry|.*_sysfs_entry|kset_uevent_ops|kernel_param_ops|ctl_table"
    r"|nla_policy|genl_(split_|small_)?ops|genl_multicast_group|pci_fixup|bpf_func_proto|btf_.*"
    r"|bpf_kfunc_.*|trace_event.*|tracer_opt|.*_testvec|value_name_pair|xfrm_algo_desc|insn_attr.*"
    r"|(clk|pll|qcom|samsung|mtk|hisi|rcg|ccu|meson|rockchip|tegra|imx|pinctrl|regmap|regulator"
    r"|sunxi|alpha_pll)_.*|freq_tbl|parent_map|gdsc|reg_(sequence|default)|acpi_rsconvert_info"
    r"|midr_range|arm64_(ftr_bits|cpu_capabilities)|event_constraint|extra_reg|x86_cpu_desc"
)


class NoExpression(Exception):
    """A type that has no name, or that of a function."""


def is_of_use(name: str, expression: Expression) -> bool:
    """Whether anybody looks at such a variable in a dump."""
    registered = expression.keyword == "struct" and _REGISTERED.fullmatch(expression.name)
    return not registered and not _MADE.match(name)


def expression_of(kind: Any) -> Expression:
    """What the table writes for one of drgn's types.

    Raises:
        NoExpression: there is no name for it.
    """
    prefixes: list[Qualifier | Length] = []
    while True:
        wrapped = _prefix(kind)
        # An array is const where its elements are.
        prefixes += [] if isinstance(wrapped, Length) else _qualifiers(kind)
        if wrapped is None:
            break
        prefixes.append(wrapped)
        kind = kind.type
    keyword, name = _base(kind)
    return Expression(tuple(prefixes), keyword, name)


def _qualifiers(kind: Any) -> list[Qualifier]:
    import drgn

    found: list[Qualifier] = []
    if kind.qualifiers & drgn.Qualifiers.CONST:
        found.append("const")
    if kind.qualifiers & drgn.Qualifiers.VOLATILE:
        found.append("volatile")
    return found


def _prefix(kind: Any) -> Qualifier | Length | None:
    import drgn

    if kind.kind == drgn.TypeKind.POINTER:
        return "pointer"
    if kind.kind == drgn.TypeKind.ARRAY:
        return Length(how="[*]") if kind.length is None else Length(kind.length)
    return None


@cache
def _keywords() -> dict[Any, str]:
    import drgn

    kinds = drgn.TypeKind
    return {kinds.STRUCT: "struct", kinds.UNION: "union", kinds.ENUM: "enum"}


def _base(kind: Any) -> tuple[Any, str]:
    import drgn

    if kind.kind in _keywords():
        if not kind.tag:
            raise NoExpression("a type without a name")
        return _keywords()[kind.kind], kind.tag
    if kind.kind == drgn.TypeKind.FUNCTION:
        raise NoExpression("a function")
    return "", "void" if kind.kind == drgn.TypeKind.VOID else kind.name
