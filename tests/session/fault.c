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

struct back_step {
	const char *name;
	const char *(*run)(void);
};

static void (*mended)(const void *);
static const char *(*mended_step)(void);

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

static const char *step_gives_up(void) { error(FATAL, "this is the fault\n"); return NULL; }
static const char *step_refuses(void) { return "this is the fault"; }
static const char *step_segv(void) { *(volatile int *)8 = 1; return NULL; }

/* A step of the way back: qfx_back_steps in bridge/handback.c. */
static int fault_of_step(void)
{
	struct back_step *step = dlsym(RTLD_DEFAULT, "qfx_back_steps");

	while (step->name && !STREQ(step->name, args[1]))
		step++;
	if (!step->name)
		return FALSE;
	if (!mended_step)
		mended_step = step->run;
	step->run = STREQ(args[2], "error") ? step_gives_up :
		    STREQ(args[2], "segv") ? step_segv :
		    STREQ(args[2], "none") ? mended_step : step_refuses;
	if (STREQ(args[2], "none"))
		mended_step = NULL;
	return TRUE;
}

static void cmd_fault(void)
{
	struct stage *stage = dlsym(RTLD_DEFAULT, "qfx_stages");
	const struct stage *kind = kinds;

	while (stage->name && !STREQ(stage->name, args[1]))
		stage++;
	while (kind->name && !STREQ(kind->name, args[2]))
		kind++;
	if (!stage->name && fault_of_step())
		return;
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
