# SPDX-License-Identifier: GPL-3.0-or-later
"""Debug packages, told from banners of the distributions' own kernels as people posted them."""

from __future__ import annotations

import pytest

from crashext.locate.answer.packages import debug_package, debuginfod_urls

BUILD_ID = "e2eb7ee063871adf552a8f795fb338f6db29daeb"
_EL9 = "5.14.0-427.35.1.el9_4.x86_64"
_SLE = "5.14.21-150400.24.21"
ZYPPER = f"zypper install -C 'debuginfo(build-id)={BUILD_ID}'"
#: Package, line that installs it, banner.
BANNERS = [
    (
        "linux-image-6.1.0-18-cloud-amd64-dbg",
        "apt install linux-image-6.1.0-18-cloud-amd64-dbg",
        "Linux version 6.1.0-18-cloud-amd64 (debian-kernel@lists.debian.org) "
        "(gcc-12 (Debian 12.2.0-14) 12.2.0) #1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)",
    ),
    (
        "linux-image-unsigned-6.8.0-151-generic-dbgsym",
        "apt install linux-image-unsigned-6.8.0-151-generic-dbgsym",
        "Linux version 6.8.0-151-generic (buildd@lcy02-amd64-009) (x86_64-linux-gnu-gcc-13 "
        "(Ubuntu 13.3.0-6ubuntu2~24.04.1) 13.3.0, GNU ld (GNU Binutils for Ubuntu) 2.42) "
        "#151-Ubuntu SMP PREEMPT_DYNAMIC Wed Nov 11 01:28:36 UTC 2026 "
        "(Ubuntu 6.8.0-151.151-generic 6.8.12)",
    ),
    (
        "linux-image-unsigned-3.19.0-25-generic-dbgsym",
        "apt install linux-image-unsigned-3.19.0-25-generic-dbgsym",
        "Linux version 3.19.0-25-generic (buildd@lgw01-20) (gcc version 4.8.2 "
        "(Ubuntu 4.8.2-19ubuntu1) ) #26~14.04.1-Ubuntu SMP Fri Jul 24 21:16:20 UTC 2015 "
        "(Ubuntu 3.19.0-25.26~14.04.1-generic 3.19.8-ckt2)",
    ),
    (
        f"kernel-debuginfo-{_EL9}",
        f"dnf debuginfo-install kernel-{_EL9}",
        f"Linux version {_EL9} (mockbuild@x64-builder01.almalinux.org) (gcc (GCC) 11.4.1 20231218 "
        "(Red Hat 11.4.1-3), GNU ld version 2.35.2-43.el9) #1 SMP PREEMPT_DYNAMIC "
        "Thu Sep 12 11:21:43 EDT 2024",
    ),
    (
        "kernel-debuginfo-6.12.0-66.el10.x86_64",
        "dnf debuginfo-install kernel-6.12.0-66.el10.x86_64",
        "Linux version 6.12.0-66.el10.x86_64 (mockbuild@694f893baa82435fb52e73f7c6675ecf) (gcc "
        "(GCC) 14.2.1 20250110 (Red Hat 14.2.1-7), GNU ld version 2.41-52.el10) #1 SMP "
        "PREEMPT_DYNAMIC Thu Mar 20 13:49:55 UTC 2025",
    ),
    (
        "kernel-debuginfo-6.16.8-200.fc42.x86_64",
        "dnf debuginfo-install kernel-6.16.8-200.fc42.x86_64",
        "Linux version 6.16.8-200.fc42.x86_64 (mockbuild@1b8d6d49127b4222833704415d76d564) (gcc "
        "(GCC) 15.2.1 20250808 (Red Hat 15.2.1-1), GNU ld version 2.44-6.fc42) #1 SMP "
        "PREEMPT_DYNAMIC Fri Sep 19 17:47:18 UTC 2025",
    ),
    (
        f"kernel-default-debuginfo-{_SLE}",
        ZYPPER,
        f"Linux version {_SLE}-default (geeko@buildhost) (gcc (SUSE Linux) 7.5.0, GNU ld (GNU "
        "Binutils; SUSE Linux Enterprise 15) 2.37.20211103-150100.7.37) #1 SMP PREEMPT_DYNAMIC "
        "Wed Sep 7 06:51:18 UTC 2022 (974d0aa)",
    ),
    (
        "kernel-default-debuginfo-6.17.0-2",
        ZYPPER,
        "Linux version 6.17.0-2-default (geeko@buildhost) (gcc (SUSE Linux) 15.2.0, GNU ld (GNU "
        "Binutils; openSUSE Tumbleweed) 2.43.1.20241209-10) #1 SMP PREEMPT_DYNAMIC "
        "Thu Oct  2 08:12:40 UTC 2025 (190326b)",
    ),
    (
        "kernel-vanilla-debuginfo-6.9.3-7.g97b471a",
        ZYPPER,
        "Linux version 6.9.3-7.g97b471a-vanilla (geeko@buildhost) (gcc (SUSE Linux) 13.3.0, "
        "GNU ld (GNU Binutils; openSUSE Tumbleweed) 2.42.0.20240130-3) #1 SMP PREEMPT_DYNAMIC "
        "Wed Jun 5 05:47:57 UTC 2024 (97b471a)",
    ),
]


@pytest.mark.parametrize(("package", "line", "banner"), BANNERS)
def test_package(package: str, line: str, banner: str) -> None:
    found = debug_package(banner.encode(), BUILD_ID)
    assert (found.names[0], found.install) == (package, line)


@pytest.mark.parametrize(
    ("release", "package"),
    [
        # kernel.spec, %kernel_variant_package: the variants of a kernel are after a "+".
        (f"{_EL9}+debug", f"kernel-debug-debuginfo-{_EL9}"),
        (f"{_EL9}+rt", f"kernel-rt-debuginfo-{_EL9}"),
        ("5.14.0-427.35.1.el9_4.aarch64+64k", "kernel-64k-debuginfo-5.14.0-427.35.1.el9_4.aarch64"),
        # RHEL 8's has it in the release, Oracle's in the distribution's mark.
        (
            "4.18.0-553.rt7.342.el8_10.x86_64",
            "kernel-rt-debuginfo-4.18.0-553.rt7.342.el8_10.x86_64",
        ),
        ("5.15.0-300.163.18.el9uek.x86_64", "kernel-uek-debuginfo-5.15.0-300.163.18.el9uek.x86_64"),
        (
            "6.1.61-85.141.amzn2023.x86_64",
            "kernel-debuginfo-6.1.61-85.141.amzn2023.x86_64",
        ),
    ],
)
def test_variants_of_rpm_kernels(release: str, package: str) -> None:
    banner = f"Linux version {release} (mockbuild@builder) (gcc) #1 SMP PREEMPT_DYNAMIC"
    assert debug_package(banner.encode()).names == (package,)


@pytest.mark.parametrize(
    "banner",
    [
        # Built by their users: with a distribution's compiler, and in SUSE's build service.
        "Linux version 6.8.0 (me@home) (gcc) #1 SMP Mon Jan 1",
        "Linux version 6.9.0 (me@home) (gcc (Ubuntu 13.2.0-4ubuntu3) 13.2.0, GNU ld (GNU Binutils "
        "for Ubuntu) 2.41) #1 SMP PREEMPT_DYNAMIC Mon May 13",
        "Linux version 6.9.0 (me@home) (gcc (Debian 12.2.0-14) 12.2.0) #1 SMP PREEMPT_DYNAMIC Mon",
        "Linux version 6.17.4 (geeko@buildhost) (gcc (SUSE Linux) 15.1.1 20250714, GNU ld (GNU "
        "Binutils; SUSE Linux 16) 2.43.1.20241209-160000.2) #1 SMP PREEMPT_DYNAMIC Mon Oct 20",
        "Linux version 6.16.8-200.fc42.x86_64-mine (me@home) (gcc) #1 SMP",
        # A guest's banner can say anything; what gets into a shell's line can't.
        "Linux version 6.1.0;reboot (debian-kernel@lists.debian.org) (gcc) #1 SMP",
        "Linux version 6.1.0$(reboot) (buildd@x) (gcc) #1-Ubuntu SMP",
        f"Linux version 6.{'1' * 80} (debian-kernel@lists.debian.org) (gcc) #1 SMP",
        "Linux version -o=x (debian-kernel@lists.debian.org) (gcc) #1 SMP",
        "Linux version 6.1\u0660 (debian-kernel@lists.debian.org) (gcc) #1 SMP",
        "",
    ],
)
def test_a_kernel_of_unknown_making_has_none(banner: str) -> None:
    assert debug_package(banner.encode(), BUILD_ID) == ((), None)


@pytest.mark.parametrize("build_id", [None, "", "'; reboot #", "AB" * 20])
def test_a_build_id_that_is_none_is_in_no_line(build_id: str | None) -> None:
    banner = next(banner for package, _, banner in BANNERS if "kernel-default" in package)
    found = debug_package(banner.encode(), build_id)
    assert found.names and found.install is None


def test_debuginfod_only_where_the_user_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEBUGINFOD_URLS", raising=False)
    assert debuginfod_urls("ab" * 20) == ()
    monkeypatch.setenv("DEBUGINFOD_URLS", "https://one.example/ https://two.example")
    assert debuginfod_urls("abcd") == (
        "https://one.example/buildid/abcd/debuginfo",
        "https://two.example/buildid/abcd/debuginfo",
    )
