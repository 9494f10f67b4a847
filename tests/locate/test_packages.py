# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of debug packages, told from banners of the distributions' own kernels."""

from __future__ import annotations

import pytest

from crashext.locate.answer.packages import debug_packages, debuginfod_urls

BANNERS = {
    "linux-image-6.1.0-18-cloud-amd64-dbg": b"Linux version 6.1.0-18-cloud-amd64 "
    b"(debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0) #1 SMP",
    "linux-image-unsigned-5.15.0-91-generic-dbgsym": b"Linux version 5.15.0-91-generic "
    b"(buildd@lcy02-amd64-045) (gcc (Ubuntu 11.4.0-1ubuntu1~22.04) 11.4.0) #101-Ubuntu SMP",
    "kernel-debuginfo-5.14.0-362.8.1.el9_3.x86_64": b"Linux version "
    b"5.14.0-362.8.1.el9_3.x86_64 (mockbuild@x86-vm-07) (gcc) #1 SMP PREEMPT_DYNAMIC",
    "kernel-debuginfo-6.6.8-200.fc39.x86_64": b"Linux version 6.6.8-200.fc39.x86_64 "
    b"(mockbuild@x) (gcc) #1 SMP PREEMPT_DYNAMIC",
    "kernel-default-debuginfo-5.14.21-150500.55.36": b"Linux version "
    b"5.14.21-150500.55.36-default (geeko@buildhost) (gcc (SUSE Linux) 7.5.0) #1 SMP",
}


@pytest.mark.parametrize("package", BANNERS)
def test_package(package: str) -> None:
    assert debug_packages(BANNERS[package])[0] == package


def test_a_kernel_of_unknown_making_has_none() -> None:
    assert debug_packages(b"Linux version 6.8.0 (me@home) (gcc) #1 SMP Mon Jan 1") == ()


def test_debuginfod_only_where_the_user_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEBUGINFOD_URLS", raising=False)
    assert debuginfod_urls("ab" * 20) == ()
    monkeypatch.setenv("DEBUGINFOD_URLS", "https://one.example/ https://two.example")
    assert debuginfod_urls("abcd") == (
        "https://one.example/buildid/abcd/debuginfo",
        "https://two.example/buildid/abcd/debuginfo",
    )
