/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The part of qemufix that touches crash: _host.so.
 *
 * A plain C interface, free of Python: qemufix.so uses it, and any interpreter
 * can through ctypes.  Every function here may call into crash, whose errors
 * jump to the main loop; each catches that itself (guard.c), so none jumps over
 * its caller.  0 means done and -1 failed unless a function says otherwise.
 */
#ifndef QEMUFIX_HOST_H
#define QEMUFIX_HOST_H

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)

/* Raised with every change of a struct or signature below. */
#define QFX_ABI 1

enum qfx_session_flags {
	QFX_MINIMAL = 1,	/* crash --minimal, not put right yet */
	QFX_LIVE = 2,		/* a running system, no dump */
	QFX_TRANSLATION = 4,	/* phys_base and kaslr_offset mean something */
	QFX_IN_PROCESS = 8,	/* the session can be re-initialised as it runs */
	QFX_RC_FILE = 16,	/* the command comes from a .crashrc */
};

/* What the session is; strings belong to crash and last as long as it. */
struct qfx_facts {
	uint32_t abi;
	uint32_t flags;
	const char *dumpfile;
	const char *namelist;
	const char *version;
	const char *built_for;
	const char *machine;
	int64_t phys_base;
	int64_t kaslr_offset;
};

int qfx_facts(struct qfx_facts *facts);
int qfx_read_phys(uint64_t paddr, void *buffer, size_t size);

/* Prints through crash's stream, so that pipes, files and the pager work. */
int qfx_write(const char *text, size_t size);
/* One line in crash's error style, after the name of the command. */
int qfx_message(const char *line);

/*
 * Re-initialises the session for these values, as a transaction: it is either
 * done whole, or the session is as it was and the user has been told why.
 * limit_ms bounds the time to the commit.  From within a command run by
 * qfx_command() this is noted and happens when the command has ended.
 */
int qfx_apply(int64_t phys_base, int64_t kaslr_offset, uint32_t limit_ms);

/*
 * Starts crash again in this process.  `args` are NUL-terminated strings, one
 * after the other, size bytes in all; `script` runs first in the new session.
 * Input that is waiting is carried over.  Like qfx_apply() it may be noted only.
 */
int qfx_restart(const char *args, size_t size, const char *script, size_t script_size);

/* What an input file (-i, <) still holds after the running command; bytes copied. */
long qfx_pending_script(char *buffer, size_t size);
/* The i-th extension in the order of loading, or NULL. */
const char *qfx_extension(unsigned int i);
/* scroll (0/1), radix (10/16), debug level: what `set` changed most likely. */
int qfx_settings(int *scroll, int *radix, int *debug);

/* Runs one command in a forked copy of the session, then what it asked for. */
int qfx_command(int argc, char **argv, int (*run)(int argc, char **argv));

#pragma GCC visibility pop

#endif
