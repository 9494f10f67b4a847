#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The demonstration: a guest under UEFI firmware is dumped by QEMU, crash opens the
# dump with the translation that the dump's header claims, and qemufix puts the
# running session right. Run by `make demo`, which has done the set-up.
set -eu
cd "$(dirname "$0")/.."

GUEST=${1:-ovmf-kaslr}
DUMP=lab/dumps/$GUEST.kdump
TRUTH=lab/dumps/$GUEST.json
PYTHON=.venv/bin/python
TERM=${TERM:-dumb}
export TERM

say() { printf '\n== %s\n' "$*"; }
truth() {
	"$PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$TRUTH" "$1"
}

say "a guest is booted under OVMF and dumped (kept from an earlier run, if there is one)"
"$PYTHON" -m lab dumps "$GUEST"
VMLINUX=$(realpath --relative-to=. "lab/dumps/$(truth vmlinux)")
RELEASE=$(truth release)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Without a terminal crash does not show its input, so each command is shown first.
for command in "rd linux_banner 4" "extend ./qemufix.so" "qemufix detect" \
	"qemufix physbase --apply" "rd linux_banner 4" "sys"; do
	printf '!echo; echo "crash> %s"\n%s\n' "$command" "$command"
done >"$work/commands"
echo exit >>"$work/commands"

set -- crash --minimal --no_crashrc --machdep phys_base=0 --kaslr=0 "$VMLINUX" "$DUMP"
say "crash opens it wrongly: phys_base 0, as QEMU's header says, and no KASLR"
echo "$ $*"
"$@" -s -i "$work/commands" </dev/null 2>&1 | tee "$work/transcript"

say "summary"
# The banner is read twice: not found where crash looks at first, and found afterwards.
seen=$(grep -c '^ffffffff.*Linux version' "$work/transcript" || true)
if [ "$seen" = 1 ] && grep -q "RELEASE: $RELEASE\$" "$work/transcript"; then
	echo "demo: passed: the session was put right: kernel $RELEASE," \
		"phys_base $(truth phys_base), KASLR offset $(truth kaslr_offset)"
else
	echo "demo: FAILED: sys does not show the guest's release $RELEASE" >&2
	exit 1
fi
