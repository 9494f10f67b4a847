#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The demonstration: a guest starts a second kernel by kexec, and QEMU dumps it with the
# VMCOREINFO of the first. No debug package of its kernel is on this machine. qemufix opens the
# dump all the same, with a vmlinux made from the dump; with that file it puts a session of crash
# right, then the dump itself, which crash and drgn open as it is. Run by `make demo`, which has
# done the set-up.
set -eu
cd "$(dirname "$0")/.."

GUEST=${1:-kexec-stale-note}
FOLDER=lab/dumps/bare
TRUTH=$FOLDER/$GUEST.json
PYTHON=.venv/bin/python
QEMUFIX=.venv/bin/qemufix
TERM=${TERM:-dumb}
export TERM

say() { printf '\n== %s\n' "$*"; }
truth() {
	"$PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$TRUTH" "$1"
}

say "a guest is booted and dumped (kept from an earlier run, if there is one)"
"$PYTHON" -m lab bare "$GUEST" "$FOLDER"
RELEASE=$(truth release)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Nothing of an earlier run, and nothing that a server might have.
XDG_CACHE_HOME=$work/cache
export XDG_CACHE_HOME
unset DEBUGINFOD_URLS || true
DUMP=$work/guest.kdump
VMLINUX=$work/vmlinux
cp "$FOLDER/$GUEST.kdump" "$DUMP"
printf 'sys\nexit\n' >"$work/sys"
failed=""

# Runs a command that is shown first, with the dump's name short; its output goes to a file, too.
shown() {
	echo "$ $*" | sed "s|$work/||g"
	"$@" </dev/null 2>&1 | sed "s|$work/||g" | tee "$work/output"
}
expect() { grep -q "$1" "$work/output" || failed="$failed; $2"; }
# How many tasks the line TASKS of crash's `sys` says.
tasks() { sed -n 's/^ *TASKS: *\([0-9]*\).*/\1/p' "$work/output" | head -1; }

say "one command to a prompt, without a debug package"
shown "$QEMUFIX" crash "$DUMP" -s --no_crashrc -i "$work/sys"
expect "RELEASE: $RELEASE\$" "qemufix crash does not open the dump"
TASKS=$(tasks)
[ "${TASKS:-0}" -gt 10 ] || failed="$failed; crash counts ${TASKS:-no} tasks"

say "the vmlinux, to keep"
shown "$QEMUFIX" vmlinux "$DUMP" -o "$VMLINUX"

say "crash alone refuses the dump: its note is of the kernel before, and nothing says so"
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

say "and so does drgn, which counts as many tasks"
cat >"$work/tasks.py" <<'PYTHON'
from drgn.helpers.linux import for_each_task

release = prog["init_uts_ns"].name.release.string_().decode()
print(f"{release}, {len(list(for_each_task(prog, idle=True)))} tasks")
PYTHON
shown .venv/bin/drgn -q -c "$DUMP" --no-default-symbols -s "$VMLINUX" "$work/tasks.py"
expect "^$RELEASE, $TASKS tasks" "drgn does not open the repaired dump, or counts other tasks"

say "and back, bit for bit"
shown "$QEMUFIX" repair --undo "$DUMP"
cmp "$DUMP" "$FOLDER/$GUEST.kdump" || failed="$failed; the dump is not as it was"

say "summary"
if [ -z "$failed" ]; then
	echo "demo: passed: kernel $RELEASE without a debug package, $TASKS tasks in crash and drgn"
else
	echo "demo: FAILED${failed#;}" >&2
	exit 1
fi
