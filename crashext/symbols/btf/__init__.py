# SPDX-License-Identifier: GPL-3.0-or-later
"""BTF, the kernel's own description of its types (Documentation/bpf/btf.rst, uapi/linux/btf.h)."""

from .reader import Btf
from .records import Enumerator, Func, Member, Param, Type, Var
from .wire import Kind

__all__ = ["Btf", "Enumerator", "Func", "Kind", "Member", "Param", "Type", "Var"]
