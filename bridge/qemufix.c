/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The extension that crash loads.  It registers one command and nothing else, so
 * that `extend` costs nothing, `extend -u` has nothing to undo, and another crash
 * hears in one line that this is not for it; the rest is loaded, and stays
 * loaded, with the first command.
 */
#define _GNU_SOURCE
#include "defs.h"
#include <dlfcn.h>
#include "help.h"
#include "tables.h"

static void cmd_qemufix(void);

static struct command_table_entry command_table[] = {
	{ "qemufix", cmd_qemufix, help_qemufix, MINIMAL },
	{ NULL }
};

/* The folder of this very file, links followed: the Python package around it. */
static int own_folder(char *folder)
{
	Dl_info info;

	if (!dladdr(command_table, &info) || !realpath(info.dli_fname, folder))
		return FALSE;
	*strrchr(folder, '/') = '\0';
	return TRUE;
}

/* What touches crash: it stays loaded, as copies of the session may run in it. */
static void *load_host(const char *folder)
{
	char path[PATH_MAX + 32];
	void *host;

	snprintf(path, sizeof(path), "%s/_host.so", folder);
	host = dlopen(path, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
	if (!host)
		error(INFO, "%s\n", dlerror());
	return host;
}

static void cmd_qemufix(void)
{
	int (*run_command)(const char *, int, char **) = NULL;
	char folder[PATH_MAX];
	void *host;

	if (!own_folder(folder)) {
		error(INFO, "can't find the folder of qemufix.so\n");
		return;
	}
	host = load_host(folder);
	if (host)
		run_command = (int (*)(const char *, int, char **))dlsym(host, "qfx_run_command");
	if (run_command)
		run_command(folder, argcnt, args);
}

/* readline's, in crash. */
int read_history(const char *path);

/* After a restart (restart.c): the commands typed before it. */
static void take_history(void)
{
	const char *fd = getenv("QEMUFIX_HISTORY");
	char path[64];

	if (!fd)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%s", fd);
	read_history(path);
	close(atoi(fd));
	unsetenv("QEMUFIX_HISTORY");
}

static void __attribute__((constructor)) load(void)
{
	const char *strange;

	if (!STREQ(pc->program_version, CRASH_VERSION)) {
		error(INFO, "qemufix.so was built for crash " CRASH_VERSION ", this is crash %s: "
		      "build it again with this crash's defs.h\n", pc->program_version);
		return;
	}
	if ((strange = strange_table())) {
		error(INFO, "qemufix.so was built with another defs.h than this crash %s (its %s has "
		      "another size): build it again with this crash's\n", pc->program_version, strange);
		return;
	}
	take_history();
	register_extension(command_table);
}
