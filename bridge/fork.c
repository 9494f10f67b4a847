/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copies of the session: making one, waiting for one, being one. */
#define _GNU_SOURCE
#include "defs.h"
#include <sys/prctl.h>
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

int end_no_more(void)
{
	mask_interrupt(SIG_BLOCK);
	if (interrupts == 0)
		to_end = 0;
	mask_interrupt(SIG_UNBLOCK);
	return interrupts > 0 ? -1 : 0;
}

void hold_interrupts(void)
{
	mask_interrupt(SIG_BLOCK);
}

void let_interrupts(void)
{
	mask_interrupt(SIG_UNBLOCK);
}

int interrupt_waits(void)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, SIGINT);
}

void drop_interrupt(void)
{
	struct sigaction before, ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGINT, &ignore, &before);
	sigaction(SIGINT, &before, NULL);
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

/* crash asks for SIGUSR2 at its parent's end, and leaves in order on it (main.c). */
void become_session(void)
{
	prctl(PR_SET_PDEATHSIG, SIGUSR2);
	pc->program_pid = getpid();
}
