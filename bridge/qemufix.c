/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The extension that crash loads.  It registers one command and nothing else, so
 * that `extend` costs nothing and `extend -u` has nothing to undo; the rest is
 * loaded, and stays loaded, with the first command.
 */
#define _GNU_SOURCE
#include "defs.h"
#include <dlfcn.h>
#include "help.h"

typedef int (*run_fn)(int argc, char **argv);
typedef int (*command_fn)(int argc, char **argv, run_fn run);

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

static void *load_part(const char *name, int flags)
{
	char path[PATH_MAX + 32], folder[PATH_MAX];
	void *part;

	if (!own_folder(folder)) {
		error(INFO, "can't find the folder of qemufix.so\n");
		return NULL;
	}
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	part = dlopen(path, RTLD_NOW | RTLD_NODELETE | flags);
	if (!part)
		error(INFO, "%s\n", dlerror());
	return part;
}

/*
 * Another extension may have brought a Python along, whose names ours would meet:
 * it is shared when it is of the version we are built for.
 */
static int have_python(void)
{
	const char *(*version)(void) = (const char *(*)(void))dlsym(RTLD_DEFAULT, "Py_GetVersion");

	if (!version) {
		/* Global, since Python's own extension modules look for its names there. */
		if (dlopen(PYTHON_LIBRARY, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE))
			return TRUE;
		error(INFO, "%s\n", dlerror());
		return FALSE;
	}
	if (strncmp(version(), PYTHON_VERSION ".", strlen(PYTHON_VERSION ".")) == 0)
		return TRUE;
	error(INFO, "this session already runs Python %.6s, not " PYTHON_VERSION
	      ": use `qemufix` outside of crash\n", version());
	return FALSE;
}

/* Runs in a copy of the session, so Python is loaded there and nowhere else. */
static int run_python(int argc, char **argv)
{
	int (*embed)(const char *, int, char **);
	char folder[PATH_MAX];
	void *part = have_python() ? load_part("_embed.so", RTLD_LOCAL) : NULL;

	if (!part || !own_folder(folder))
		return 1;
	embed = (int (*)(const char *, int, char **))dlsym(part, "qfx_embed");
	return embed ? embed(folder, argc, argv) : 1;
}

static void cmd_qemufix(void)
{
	void *part = load_part("_host.so", RTLD_GLOBAL);
	command_fn command = part ? (command_fn)dlsym(part, "qfx_command") : NULL;

	if (command)
		command(argcnt, args, run_python);
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
	if (!STREQ(pc->program_version, CRASH_VERSION)) {
		error(INFO, "qemufix.so was built for crash " CRASH_VERSION ", this is crash %s: "
		      "build it again with this crash's defs.h\n", pc->program_version);
		return;
	}
	take_history();
	register_extension(command_table);
}
