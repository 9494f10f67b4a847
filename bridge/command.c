/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A command runs in a Python process, whose questions the session answers.  What
 * is to be done to the session itself is a wish, and is granted when the command
 * has ended well.
 */
#define _GNU_SOURCE
#include "defs.h"
#include <sys/socket.h>
#include "fork.h"
#include "guard.h"
#include "handback.h"
#include "interpreter.h"
#include "protocol.h"
#include "serve.h"

static int grant(const struct wish *wish)
{
	switch (wish->kind) {
	case APPLY:
		return run_transaction(&wish->target, wish->limit_ms, wish->record);
	case RESTART:
		return run_restart(wish->args, wish->args_size, wish->record,
				   wish->script, wish->script_size);
	case GO_BACK:
		return run_go_back(wish->record);
	default:
		return 0;
	}
}

__attribute__((visibility("default")))
int qfx_run_command(const char *folder, int argc, char **argv)
{
	struct wish wish = { 0 };
	int line[2], result;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) < 0)
		return error(INFO, "no socket: %s\n", strerror(errno)), -1;
	child = start_interpreter(folder, argc, argv, line[1]);
	close(line[1]);
	if (child < 0) {
		close(line[0]);
		return error(INFO, "can't fork: %s\n", strerror(errno)), -1;
	}
	serve(line[0], &wish);
	close(line[0]);
	result = end_interpreter(child);
	if (result == 0 && wish.kind)
		result = grant(&wish);
	free(wish.memory);
	let_interrupts();
	return result;
}
