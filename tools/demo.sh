#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The demonstration: a guest starts a second kernel by kexec, and QEMU dumps it with the
# VMCOREINFO of the first. crash refuses that dump; qemufix puts a session on it right, then
# the dump itself, which crash and drgn open as it is. Run by `make demo`, which has done the
# set-up.
set -eu
cd "$(dirname "$0")/.."

GUEST=${1:-kexec-stale-note}
TRUTH=lab/dumps/$GUEST.json
PYTHON=.venv/bin/python
QEMUFIX=.venv/bin/qemufix
TERM=${TERM:-dumb}
export TERM

say() { printf '\n== %s\n' "$*"; }
truth() {
	"$PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$TRUTH" "$1"
}

say "a guest is booted and dumped (kept from an earlier run, if there is one)"
"$PYTHON" -m lab dumps "$GUEST"
VMLINUX=$(realpath --relative-to=. "lab/dumps/$(truth vmlinux)")
RELEASE=$(truth release)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
DUMP=$work/guest.kdump
cp "lab/dumps/$GUEST.kdump" "$DUMP"
printf 'sys\nexit\n' >"$work/sys"
failed=""

# Runs a command that is shown first, with the dump's name short; its output goes to a file, too.
shown() {
	echo "$ $*" | sed "s|$work/||g"
	"$@" </dev/null 2>&1 | sed "s|$work/||g" | tee "$work/output"
}
expect() { grep -q "$1" "$work/output" || failed="$failed; $2"; }

say "crash refuses it: its note is of the kernel before, and nothing says so"
shown crash -s --no_crashrc -i "$work/sys" "$VMLINUX" "$DUMP"
if grep -q "RELEASE:" "$work/output"; then failed="$failed; plain crash opens it"; fi

say "a minimal session, put right by the plugin"
# Without a terminal crash does not show its input, so each command is shown first.
for command in "extend ./qemufix.so" "qemufix physbase --apply" "sys"; do
	printf '!echo; echo "crash> %s"\n%s\n' "$command" "$command"
done >"$work/commands"
echo exit >>"$work/commands"
shown crash -s --minimal --no_crashrc -i "$work/commands" "$VMLINUX" "$DUMP"
expect "RELEASE: $RELEASE\$" "the session is not right"

say "the dump itself, repaired in place"
shown "$QEMUFIX" repair --in-place "$DUMP"

say "crash opens it as it is"
shown crash -s --no_crashrc -i "$work/sys" "$VMLINUX" "$DUMP"
expect "RELEASE: $RELEASE\$" "crash does not open the repaired dump"

say "and so does drgn"
# What the kernel calls itself, and how many tasks it has.
cat >"$work/tasks.py" <<'PYTHON'
from drgn.helpers.linux import for_each_task

release = prog["init_uts_ns"].name.release.string_().decode()
print(f"{release}, {len(list(for_each_task(prog)))} tasks")
PYTHON
shown .venv/bin/drgn -q -c "$DUMP" -s "$VMLINUX" "$work/tasks.py"
expect "^$RELEASE, [0-9]* tasks" "drgn does not open the repaired dump"

say "and back, bit for bit"
shown "$QEMUFIX" repair --undo "$DUMP"
cmp "$DUMP" "lab/dumps/$GUEST.kdump" || failed="$failed; the dump is not as it was"

say "summary"
if [ -z "$failed" ]; then
	echo "demo: passed: kernel $RELEASE, in a session put right and in the dump repaired"
else
	echo "demo: FAILED${failed#;}" >&2
	exit 1
fi
