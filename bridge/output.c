/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a command's output goes, and ending it before the command has ended. */
#include "defs.h"
#include <poll.h>
#include <sys/wait.h>
#include "guard.h"

/* What setup_redirect() (cmdline.c) chose for the command line, or for one of a file. */
static FILE *chosen(void)
{
	FILE *streams[] = { pc->ifile_ofile, pc->ifile_pipe, pc->ofile, pc->pipe, pc->stdpipe };

	for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++)
		if (streams[i])
			return streams[i];
	return stdout;
}

int is_collected(void)
{
	return fp != chosen() && fp != pc->nullfp;
}

void replay(int fd)
{
	char buffer[4096];
	ssize_t got;

	lseek(fd, 0, SEEK_SET);
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		fwrite(buffer, 1, got, fp);
}

void release_output(void)
{
	FILE *collected = fp;

	if (!is_collected())
		return;
	fflush(collected);
	fp = chosen();
	replay(fileno(collected));
}

/* Copies of the process have them too, and a reader would wait for ours. */
void let_go_of_output(void)
{
	FILE **streams[] = { &pc->ifile_ofile, &pc->ifile_pipe, &pc->ofile, &pc->pipe, &pc->stdpipe };

	for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++) {
		if (!*streams[i])
			continue;
		if (fp == *streams[i])
			fp = stdout;
		close(fileno(*streams[i]));
		*streams[i] = NULL;
	}
	pc->stdpipe_pid = pc->pipe_pid = pc->pipe_shell_pid = 0;
}

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

/* crash waits for a pager with waitpid(): after a fork or an exec it is no child of it. */
void finish_output(void)
{
	finish(&pc->stdpipe, &pc->stdpipe_pid);
	finish(&pc->pipe, &pc->pipe_pid);
}

static int is_read(FILE *stream)
{
	struct pollfd reader = { .fd = stream ? fileno(stream) : -1 };

	return poll(&reader, 1, 0) <= 0 || !(reader.revents & POLLERR);
}

void leave_dead_reader(void)
{
	if (!is_read(pc->stdpipe) || !is_read(pc->pipe))
		finish_output();
}

void say_interrupted(void)
{
	void (*broken_pipe)(int) = signal(SIGPIPE, SIG_IGN);

	leave_dead_reader();
	error(INFO, "\ninterrupted; the session is as it was\n");
	signal(SIGPIPE, broken_pipe);
}
