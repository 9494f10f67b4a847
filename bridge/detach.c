/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A forked copy of crash shares files with the session it was copied from.
 * Until it is the session it must neither read its input, nor finish its pipes,
 * nor remove its temporary files, even when crash ends it with clean_exit().
 */
#include "defs.h"
#include <fcntl.h>
#include "guard.h"

static FILE *taken(FILE **slot)
{
	FILE *file = *slot;

	*slot = NULL;
	return file;
}

static char *taken_text(char **slot)
{
	char *text = *slot;

	*slot = NULL;
	return text;
}

/* exit() moves the shared offset of a file on stdin back to what stdio consumed. */
static int hide_input(void)
{
	int input = fcntl(0, F_DUPFD_CLOEXEC, 3);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, 0);
		close(null);
	}
	return input;
}

/* Sends what crash says to log_fd, so that only a success shows it. */
static void start_log(struct detached *saved, int log_fd)
{
	saved->fp = fp;
	saved->error_fp = pc->error_fp;
	saved->curcmd = pc->curcmd;
	saved->log = fdopen(log_fd, "w");
	if (!saved->log)
		return;
	setvbuf(saved->log, NULL, _IOLBF, 0);
	fp = saved->log;
	/* error() writes to fp as well when that is no terminal (tools.c). */
	pc->error_fp = STREQ(pc->error_path, "default") ? pc->nullfp : saved->log;
	pc->curcmd = pc->program_name;
}

void detach(struct detached *saved, int log_fd)
{
	memset(saved, 0, sizeof(*saved));
	start_log(saved, log_fd);
	saved->input = hide_input();
	saved->redirect = pc->redirect;
	pc->redirect = 0;	/* or output_closed() ends the stage */
	saved->stdpipe = taken(&pc->stdpipe);
	saved->pipe = taken(&pc->pipe);
	saved->ofile = taken(&pc->ofile);
	saved->ifile_pipe = taken(&pc->ifile_pipe);
	saved->ifile_ofile = taken(&pc->ifile_ofile);
	saved->ifile = taken(&pc->ifile);
	saved->args_ifile = taken(&pc->args_ifile);
	saved->cleanup = taken_text(&pc->cleanup);
	saved->namelist_orig = taken_text(&pc->namelist_orig);
	saved->namelist_debug_orig = taken_text(&pc->namelist_debug_orig);
}

void attach(struct detached *saved)
{
	fp = saved->fp;
	pc->error_fp = saved->error_fp;
	pc->curcmd = saved->curcmd;
	if (saved->log)
		fclose(saved->log);
	if (saved->input >= 0) {
		dup2(saved->input, 0);
		close(saved->input);
	}
	pc->redirect = saved->redirect;
	pc->stdpipe = saved->stdpipe;
	pc->pipe = saved->pipe;
	pc->ofile = saved->ofile;
	pc->ifile_pipe = saved->ifile_pipe;
	pc->ifile_ofile = saved->ifile_ofile;
	pc->ifile = saved->ifile;
	pc->args_ifile = saved->args_ifile;
	pc->cleanup = saved->cleanup;
	pc->namelist_orig = saved->namelist_orig;
	pc->namelist_debug_orig = saved->namelist_debug_orig;
}
