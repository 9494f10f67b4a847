/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A crash extension for tests: `fault STAGE KIND` makes a stage of the
 * re-initialisation fail in the given way, `fault STAGE none` mends it.
 */
#include "defs.h"
#include <dlfcn.h>

struct stage {
	const char *name;
	void (*run)(const void *target);
};

static void (*mended)(const void *);

static void give_up(const void *target) { error(FATAL, "this is the fault\n"); }
static void leave(const void *target) { clean_exit(1); }
static void crash_down(const void *target) { *(volatile int *)8 = 1; }
static void abort_here(const void *target) { abort(); }
static void hang(const void *target) { for (;;) pause(); }
static void spoil(const void *target) { memset(tt, 0x5a, sizeof(*tt)); give_up(target); }

static const struct stage kinds[] = {
	{ "error", give_up }, { "exit", leave }, { "segv", crash_down },
	{ "abort", abort_here }, { "hang", hang }, { "spoil", spoil }, { NULL, NULL },
};

static void cmd_fault(void)
{
	struct stage *stage = dlsym(RTLD_DEFAULT, "qfx_stages");
	const struct stage *kind = kinds;

	while (stage->name && !STREQ(stage->name, args[1]))
		stage++;
	while (kind->name && !STREQ(kind->name, args[2]))
		kind++;
	if (!stage->name)
		error(FATAL, "no such stage\n");
	if (!mended)
		mended = stage->run;
	stage->run = kind->name ? kind->run : mended;
	if (!kind->name)
		mended = NULL;
}

static char *help_fault[] = { "fault", "test", "stage kind", NULL };
static struct command_table_entry commands[] = {
	{ "fault", cmd_fault, help_fault, MINIMAL }, { NULL }
};

static void __attribute__((constructor)) load(void)
{
	if (dlopen(getenv("QEMUFIX_HOST"), RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE))
		register_extension(commands);
	else
		error(INFO, "%s\n", dlerror());
}
