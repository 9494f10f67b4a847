#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Install what building, testing and the lab need: the Debian packages that are
# missing (with sudo unless root), then a virtual environment in .venv from
# Debian's own python3, which is the one that the plugin starts. Safe to repeat.
# Of names with a bar between them, suites have one: the first that is there is meant.
# `setup.sh venv` leaves the Debian packages alone, `setup.sh arch` adds those that
# `make test-arch` needs, `setup.sh types` those that build a kernel with its types, `setup.sh
# dist` those that make packages.
set -eu
cd "$(dirname "$0")/.."

PACKAGES="chromium fonts-dejavu-core libcairo2 crash makedumpfile qemu-system-x86 ovmf qemu-system-arm qemu-efi-aarch64 busybox-static kexec-tools
	ca-certificates cpio fuse3 gcc gdb-multiarch libc6-dev liblzo2-dev make python3 python3-dev python3-libkdumpfile python3-venv
	gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static|qemu-user binutils debuginfod
	libdebuginfod1t64|libdebuginfod1 mmdebstrap zlib1g-dev bash-completion zsh fish man-db mandoc"
ARCH_PACKAGES="qemu-system-misc qemu-system-ppc gcc-riscv64-linux-gnu libc6-dev-riscv64-cross
	flex bison bc xz-utils"
DIST_PACKAGES="build-essential debhelper dh-python lintian pybuild-plugin-pyproject python3-all
	python3-click python3-pip python3-pyelftools python3-setuptools python3-wheel rpm"
TYPES_PACKAGES="flex bison bc xz-utils libelf-dev dwarves"
PYTHON=${PYTHON:-/usr/bin/python3}
VENV=.venv
STAMP=$VENV/.complete

say() { printf '== %s\n' "$*"; }

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

is_installed() {
	dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

any_installed() {
	for name; do
		if is_installed "$name"; then return; fi
	done
	return 1
}

missing_packages() {
	for names in $PACKAGES; do
		# shellcheck disable=SC2046
		any_installed $(echo "$names" | tr '|' ' ') || printf '%s ' "$names"
	done
}

# The first of some names that the index has; the last, for apt to complain of, if it has none.
in_index() {
	for name; do
		if apt-cache show "$name" 2>/dev/null | grep -q .; then break; fi
	done
	printf '%s ' "$name"
}

# The lab looks kernels up in apt's index; a day-old one may name files that are gone.
index_is_fresh() {
	apt-cache show linux-image-cloud-amd64 >/dev/null 2>&1 &&
		[ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mtime -1 2>/dev/null |
			head -n 1)" ]
}

install_packages() {
	wanted=$(missing_packages)
	if [ -n "$wanted" ] || ! index_is_fresh; then
		say "apt-get update"
		as_root apt-get -qq update || say "apt-get update failed; going on with the index there is"
	fi
	[ -n "$wanted" ] || return 0
	# shellcheck disable=SC2046
	wanted=$(for names in $wanted; do in_index $(echo "$names" | tr '|' ' '); done)
	say "apt-get install $wanted"
	# shellcheck disable=SC2086
	apt_install $wanted && return
	# The development release lacks one now and then: what needs it says so, the rest works.
	say "not all can be installed; one at a time"
	for package in $wanted; do
		apt_install "$package" || say "left out: $package"
	done
}

# No recommended packages: kexec-tools must not touch this machine's boot set-up.
apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 \
		install --no-install-recommends "$@" >/dev/null
}

make_venv() {
	if [ -e "$STAMP" ] && [ "$STAMP" -nt pyproject.toml ] && "$VENV/bin/python" -c 'import click, elftools' 2>/dev/null; then
		return
	fi
	say "virtual environment $VENV"
	"$PYTHON" -m venv "$VENV"
	QEMUFIX_BRIDGE=0 "$VENV/bin/python" -m pip install --quiet --editable '.[docs,fast,fleet,lzo,png,test,view]'
	touch "$STAMP"
}

case "${1:-}" in
venv) ;;
arch) PACKAGES="$PACKAGES $ARCH_PACKAGES" && install_packages ;;
dist) PACKAGES="$PACKAGES $DIST_PACKAGES" && install_packages ;;
types) PACKAGES="$PACKAGES $TYPES_PACKAGES" && install_packages ;;
*) install_packages ;;
esac
make_venv
