/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shared by the files of _host.so; crash's defs.h is included first. */
#ifndef QEMUFIX_GUARD_H
#define QEMUFIX_GUARD_H

#include <stdint.h>

typedef void (*guarded_fn)(void *arg);

/* Calls fn(arg); -1 when crash gave up on it with error(FATAL) or a signal. */
int guarded(guarded_fn fn, void *arg);

struct target {
	int64_t phys_base;
	int64_t kaslr_offset;
};

/* One step of the re-initialisation, in the order of crash's own start. */
struct stage {
	const char *name;
	void (*run)(const struct target *target);
};
/* Ends with a NULL name.  Not const: tests replace a step by one that fails. */
extern struct stage qfx_stages[] __attribute__((visibility("default")));

/* reloc.c: move crash's and gdb's symbols to the given KASLR offset. */
void relocate_symbols(const struct target *target);
void relocate_gdb(const struct target *target);
int can_relocate_gdb(void);

/* transaction.c, restart.c: what may be done to the session; the record is record.h's. */
int run_transaction(const struct target *target, uint32_t limit_ms, const char *record);
int run_restart(const char *args, size_t size, const char *record,
		const char *script, size_t script_size);

/* output.c: whether another extension collects the command's output in a file. */
int is_collected(void);
/* Print what was collected so far: the other extension won't come to it any more. */
void release_output(void);
/* Print all that is in a file. */
void replay(int fd);
/* Close the command's pipe or pager and see its reader end. */
void finish_output(void);
/* The same where the reader does not read any more, so that messages are seen. */
void leave_dead_reader(void);
void say_interrupted(void);
/* Close what a command's output goes to, and leave it to the copy. */
void let_go_of_output(void);

/* detach.c: what a forked copy must not do while it is no session (yet). */
struct detached {
	FILE *stdpipe, *pipe, *ofile, *ifile_pipe, *ifile_ofile, *ifile, *args_ifile;
	FILE *fp, *error_fp, *log;
	char *cleanup, *namelist_orig, *namelist_debug_orig, *curcmd;
	ulong redirect;
	int input;
};
void detach(struct detached *saved, int log_fd);
void attach(struct detached *saved);

#endif
