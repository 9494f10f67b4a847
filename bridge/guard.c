/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calling into crash without being jumped over. */
#include "defs.h"
#include "guard.h"

/*
 * error(FATAL), and crash's SIGINT handler, longjmp to pc->main_loop_env once
 * RUNTIME is set.  gdb_interface() leaves its own SIGINT handler behind
 * (gdb_interface.c), so the caller's is put back too.
 */
int guarded(guarded_fn fn, void *arg)
{
	jmp_buf main_loop;
	struct sigaction interrupt;
	volatile int result = -1;

	memcpy(&main_loop, &pc->main_loop_env, sizeof(main_loop));
	sigaction(SIGINT, NULL, &interrupt);
	if (setjmp(pc->main_loop_env) == 0) {
		fn(arg);
		result = 0;
	}
	memcpy(&pc->main_loop_env, &main_loop, sizeof(main_loop));
	pc->flags &= ~(IN_GDB | IN_RESTART | IN_FOREACH);
	sigaction(SIGINT, &interrupt, NULL);
	return result;
}
