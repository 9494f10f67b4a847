/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Standing in for a copy that is the session.  This process keeps its pid, its place
 * as the shell's job and its children (crash waits for a pager or a pipe until its pid
 * is gone, so they have to be reaped), and stays as it was, to be gone back to.
 */
#define _GNU_SOURCE
#include "defs.h"
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "fork.h"
#include "guard.h"
#include "handback.h"
#include "standin.h"

static pid_t session_child;

static void pass_on(int signal)
{
	kill(session_child, signal);
}

static void wake(int signal)
{
	(void)signal;
}

static const struct {
	int signal;
	void (*handler)(int);
} while_waiting[] = {
	{ SIGINT, SIG_IGN }, { SIGQUIT, SIG_IGN }, { SIGPIPE, SIG_IGN }, { SIGCHLD, wake },
	{ SIGTERM, pass_on }, { SIGHUP, pass_on }, { SIGUSR1, pass_on }, { SIGUSR2, pass_on },
};
enum { SIGNALS = sizeof(while_waiting) / sizeof(*while_waiting) };

static void __attribute__((noreturn)) end_like(int status)
{
	struct rlimit no_core = { 0, 0 };

	if (!WIFSIGNALED(status))
		_exit(WEXITSTATUS(status));
	setrlimit(RLIMIT_CORE, &no_core);
	signal(WTERMSIG(status), SIG_DFL);
	raise(WTERMSIG(status));
	_exit(128 + WTERMSIG(status));
}

/* Answers what the copy asks; TRUE when it has handed back. */
static int hear(int *line)
{
	unsigned char word = 0, ready = READY;
	ssize_t got = recv(*line, &word, 1, MSG_DONTWAIT);

	if (got == 0)
		*line = -1;	/* ended, or it executes another program */
	else if (got == 1 && word == ASK_BACK && ready_to_go_on())
		send(*line, &ready, 1, MSG_NOSIGNAL);
	else if (got == 1 && word == ASK_BACK)
		send(*line, "", 1, MSG_NOSIGNAL);
	return got == 1 && word == HANDED_BACK;
}

/* Reaps whoever has ended; TRUE when the copy has, with its status. */
static int reap(int *status)
{
	pid_t ended;
	int theirs;

	while ((ended = waitpid(-1, &theirs, WNOHANG)) > 0) {
		if (ended == session_child) {
			*status = theirs;
			return TRUE;
		}
	}
	return FALSE;
}

static void wait_for_hand_back(int line, const sigset_t *awake)
{
	int handed_back = FALSE, status = 0;

	for (;;) {
		struct pollfd word = { .fd = line, .events = POLLIN };

		ppoll(&word, 1, NULL, awake);
		if (line >= 0 && word.revents)
			handed_back |= hear(&line);
		if (!reap(&status))
			continue;
		if (!handed_back && line >= 0)
			handed_back |= hear(&line);
		if (!handed_back)
			end_like(status);
		return;
	}
}

void stand_in_for(pid_t child, int line)
{
	struct sigaction before[SIGNALS];
	sigset_t children, mask, awake;

	session_child = child;
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, &mask);
	awake = mask;
	sigdelset(&awake, SIGCHLD);
	for (size_t i = 0; i < SIGNALS; i++) {
		struct sigaction waiting = { .sa_handler = while_waiting[i].handler };

		sigaction(while_waiting[i].signal, &waiting, &before[i]);
	}
	let_go_of_output();
	wait_for_hand_back(line, &awake);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaction(while_waiting[i].signal, &before[i], NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}
