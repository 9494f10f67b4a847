/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `help qemufix`, in the layout of crash's own help pages. */
static char *help_qemufix[] = {
	"qemufix",
	"find the kernel in a QEMU guest dump and put this session right",
	"detect [--json]\n"
	"  qemufix physbase [--json] [--no-cpu-state] [--all] [--kernel N|live|crashed]\n"
	"  qemufix physbase --apply [--dry-run | --restart] [--quiet]\n"
	"  qemufix physbase --undo\n"
	"  qemufix status [--json]\n"
	"  qemufix report [--json]\n"
	"  qemufix dmesg [-T] [--level LEVEL,...] [--json]",
	"  QEMU and libvirt dump a guest's memory from outside, without knowing where",
	"  the guest's kernel is. This command finds it in the session's dump.",
	"",
	"        detect  says whether QEMU wrote the dump, and from what that follows.",
	"      physbase  finds phys_base and the KASLR offset, and checks them against",
	"                the guest's memory.",
	"        status  says what was applied in this session, and by what evidence.",
	"        report  says what happened in this guest: times, a panic, vCPUs, tasks.",
	"         dmesg  prints the kernel's log, in a minimal session, too.",
	"",
	"        --json  print the answer as JSON.",
	"--no-cpu-state  do not use the vCPUs' registers that QEMU saved.",
	"         --all  search all of RAM, and list every kernel that is there.",
	"      --kernel  which one to take: its number in the list, the one that a vCPU",
	"                runs in, or the one that crashed.",
	"       --apply  give the session the values found: a session started with",
	"                --minimal becomes a full one as it runs; any other starts again",
	"                with the right options, on arm64 on the dump shown repaired. If a",
	"                step fails, nothing is changed.",
	"     --dry-run  with --apply: only say what would be done.",
	"     --restart  with --apply: start crash again instead. Waiting commands,",
	"                -i files, extensions and settings are carried over.",
	"       --quiet  with --apply, for a .crashrc: nothing is said or done on a live",
	"                system, on a dump that QEMU did not write, and in a session whose",
	"                values are right. An error is one line.",
	"        --undo  take --apply back: the session goes on as it was started.",
	"\nEXAMPLE",
	"  Ask whether QEMU wrote the dump:\n",
	"    %s> qemufix detect",
	"\n  The session was started with --minimal, since crash could not find the kernel.",
	"  See what would be done, then do it:\n",
	"    %s> qemufix physbase --apply --dry-run",
	"    %s> qemufix physbase --apply",
	"    %s> bt -a",
	"\n  The same in every session that needs it: in .crashrc, in your home or where",
	"  crash is started:\n",
	"    extend qemufix.so",
	"    qemufix physbase --apply --quiet",
	NULL
};
