/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copies of the session: making one, waiting for one, standing in for one. */
#define _GNU_SOURCE
#include "defs.h"
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "fork.h"

static struct sigaction session_interrupt;
static volatile sig_atomic_t interrupts;
static volatile pid_t to_end;

static void mask_interrupt(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigprocmask(how, &set, NULL);
}

/*
 * The terminal sends Ctrl-C to both processes.  The session's own handler would
 * jump to the prompt while the copy still runs.
 */
static void count_interrupt(int signal)
{
	(void)signal;
	interrupts++;
	if (to_end)
		kill(to_end, SIGKILL);
}

static void only_count_interrupts(void)
{
	struct sigaction count = { .sa_handler = count_interrupt, .sa_flags = SA_RESTART };

	interrupts = 0;
	sigaction(SIGINT, &count, &session_interrupt);
}

void end_on_interrupt(pid_t child)
{
	to_end = child;
	if (interrupts)
		kill(child, SIGKILL);
}

int was_interrupted(void)
{
	return interrupts > 0;
}

void end_wait(void)
{
	sigaction(SIGINT, &session_interrupt, NULL);
}

pid_t fork_copy(void)
{
	pid_t session = getpid(), child;

	fflush(NULL);	/* or both would print what is buffered */
	mask_interrupt(SIG_BLOCK);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != session)
			_exit(1);
		signal(SIGINT, SIG_IGN);
	} else if (child > 0) {
		only_count_interrupts();
	}
	mask_interrupt(SIG_UNBLOCK);
	return child;
}

int wait_for(pid_t child)
{
	siginfo_t ended;
	int status = 0;

	/* Until it is reaped its number is not another process's. */
	while (waitid(P_PID, child, &ended, WEXITED | WNOWAIT) < 0)
		if (errno != EINTR)
			return 0;
	to_end = 0;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 0;
	return status;
}

static pid_t session_child;

static void pass_on(int signal)
{
	kill(session_child, signal);
}

static void end_like(int status)
{
	struct rlimit no_core = { 0, 0 };

	if (!WIFSIGNALED(status))
		_exit(WEXITSTATUS(status));
	setrlimit(RLIMIT_CORE, &no_core);
	signal(WTERMSIG(status), SIG_DFL);
	raise(WTERMSIG(status));
	_exit(128 + WTERMSIG(status));
}

/*
 * From here on the child is the session.  This process keeps its pid, its place
 * as the shell's job and its children (crash waits for a pager or a pipe until
 * its pid is gone, so they have to be reaped), and lets go of everything else:
 * a reader of the command's output would wait for our copy of the pipe.
 */
void stand_in_for(pid_t child)
{
	static const int passed_on[] = { SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };
	pid_t ended;
	int status;

	session_child = child;
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGPIPE, SIG_DFL);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(*passed_on); i++)
		signal(passed_on[i], pass_on);
	close_range(3, ~0U, 0);
	for (;;) {
		ended = waitpid(-1, &status, 0);
		if (ended == child)
			end_like(status);
		if (ended < 0 && errno != EINTR)
			_exit(1);
	}
}

/* crash asks for SIGUSR2 at its parent's end, and leaves in order on it (main.c). */
void become_session(void)
{
	prctl(PR_SET_PDEATHSIG, SIGUSR2);
	pc->program_pid = getpid();
}
