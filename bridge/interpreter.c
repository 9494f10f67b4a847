/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The Python that runs a command: a process of its own, so that neither an
 * interpreter that another extension brought along, nor what is left of one, has
 * to do with it.
 */
#define _GNU_SOURCE
#include "defs.h"
#include <fcntl.h>
#include <sys/wait.h>
#include "fork.h"
#include "guard.h"
#include "interpreter.h"
#include "protocol.h"

enum { OWN_ARGUMENTS = 3, NOT_STARTED = 127 };

/* Input none, output crash's, errors where crash's go, the line, and nothing else. */
static void arrange_descriptors(int output, int line)
{
	int null;

	/* Out of the way of each other's new numbers. */
	output = fcntl(output, F_DUPFD, LINE_FD + 1);
	line = fcntl(line, F_DUPFD, LINE_FD + 1);
	dup2(output, 1);
	dup2(line, LINE_FD);
	null = open("/dev/null", O_RDONLY);
	dup2(null, 0);
	close_range(LINE_FD + 1, ~0U, 0);
}

/* The session says it, like any message. */
static void say_not_started(int problem)
{
	char text[512];
	struct head head = { MESSAGE, 0 };

	head.size = snprintf(text, sizeof(text), "can't start " PYTHON_PROGRAM ", the Python that "
			     "this plugin was built for: %s: build it again with make",
			     strerror(problem));
	if (write(LINE_FD, &head, sizeof(head)) < 0 || write(LINE_FD, text, head.size) < 0)
		_exit(1);
}

static void __attribute__((noreturn)) be_interpreter(char **command, int line)
{
	arrange_descriptors(fileno(fp), line);
	execv(PYTHON_PROGRAM, command);
	say_not_started(errno);
	_exit(NOT_STARTED);
}

pid_t start_interpreter(const char *folder, int argc, char **argv, int line)
{
	char script[PATH_MAX];
	char *command[OWN_ARGUMENTS + argc + 1];
	pid_t child;

	snprintf(script, sizeof(script), "%s/session/start.py", folder);
	command[0] = PYTHON_PROGRAM;
	command[1] = "-I";	/* the user's own Python settings do not matter */
	command[2] = script;
	memcpy(command + OWN_ARGUMENTS, argv, argc * sizeof(*argv));
	command[OWN_ARGUMENTS + argc] = NULL;
	child = fork_copy();
	if (child == 0)
		be_interpreter(command, line);
	if (child > 0)
		end_on_interrupt(child);
	return child;
}

int end_interpreter(pid_t child)
{
	int status = wait_for(child), interrupted;

	hold_interrupts();
	interrupted = was_interrupted();
	end_wait();
	if (interrupted) {
		say_interrupted();
		return -1;
	}
	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	error(INFO, "ended by signal %d (%s); the session is as it was\n",
	      WTERMSIG(status), strsignal(WTERMSIG(status)));
	return -1;
}
