/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ending a command's output before the command has ended: crash waits for its
 * pager with waitpid(), which after a fork or an exec is no longer its child.
 */
#include "defs.h"
#include <sys/wait.h>
#include "guard.h"

/* Until the process is gone, whoever's child it is. */
static void wait_until_gone(pid_t pid)
{
	while (pid > 0 && kill(pid, 0) == 0) {
		waitpid(pid, NULL, WNOHANG);
		stall(1000);
	}
}

static void finish(FILE **stream, pid_t *reader)
{
	if (!*stream)
		return;
	fflush(*stream);
	close(fileno(*stream));	/* like restore_sanity(); fclose() would wait in pclose() */
	*stream = NULL;
	wait_until_gone(*reader);
	*reader = 0;
	fp = stdout;
}

void finish_output(void)
{
	finish(&pc->stdpipe, &pc->stdpipe_pid);
	finish(&pc->pipe, &pc->pipe_pid);
}
