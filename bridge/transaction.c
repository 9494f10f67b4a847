/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Re-initialisation that is done whole or not at all.
 *
 * setjmp catches error(FATAL), but neither clean_exit() nor a signal nor a hang.
 * So a forked copy goes through the stages.  It tells each by a byte; at the end
 * it asks for leave to be the session, and the old process only waits for it
 * from then on.  When it ends before, takes too long, or Ctrl-C is typed, the old
 * process goes on: nothing in it was touched.
 */
#define _GNU_SOURCE
#include "defs.h"
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "fork.h"
#include "guard.h"
#include "handback.h"
#include "meter.h"
#include "offsets.h"
#include "record.h"
#include "standin.h"

enum { FINISHED = 0xff };	/* stages are told by their number + 1 */

static struct stage *current;
static const struct target *goal;

static void run_stage(void *unused)
{
	(void)unused;
	current->run(goal);
}

static void tell(int to_session, unsigned char what)
{
	if (write(to_session, &what, 1) != 1)
		_exit(1);
}

/*
 * crash 9's silent_call_bt() parses options of its own without saying that to getopt(),
 * which goes on in the last word that an earlier command had with options (rd -p).
 */
static void forget_options(void)
{
	char *none[] = { "qemufix", NULL };

	optind = 0;
	getopt(1, none, "");
}

/* The readers of the output may be gone with a Ctrl-C that came too late. */
static void tell_outcome(int log, int too_late)
{
	void (*broken_pipe)(int) = signal(SIGPIPE, SIG_IGN);

	leave_dead_reader();
	replay(log);
	fprintf(fp, "Done%s: this is a full session now.\n", too_late ? ", too late to interrupt" : "");
	finish_output();
	signal(SIGPIPE, broken_pipe);
}

/*
 * Returns only as the session.  Ctrl-C is for the old process to decide on: here it is
 * held, whatever handlers crash and gdb set meanwhile.
 */
static void copy_side(const struct target *target, int to_session, int log, const char *record)
{
	struct detached saved;
	unsigned char leave;
	int too_late;

	hold_interrupts();
	forget_options();
	goal = target;
	detach(&saved, fcntl(log, F_DUPFD_CLOEXEC, 3));
	for (current = qfx_stages; current->name; current++) {
		tell(to_session, current - qfx_stages + 1);
		if (guarded(run_stage, NULL))
			_exit(1);
	}
	tell(to_session, FINISHED);
	if (read(to_session, &leave, 1) != 1)
		_exit(1);
	become_session();
	begin_as_copy(to_session);
	keep_record(record);
	attach(&saved);
	too_late = interrupt_waits();
	drop_interrupt();
	SIGACTION(SIGINT, restart, &pc->sigaction, NULL);
	let_interrupts();
	tell_outcome(log, too_late);
	close(log);
}

static int milliseconds_left(const struct timespec *start, uint32_t limit_ms)
{
	struct timespec now;
	long spent;

	clock_gettime(CLOCK_MONOTONIC, &now);
	spent = (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
	return spent < (long)limit_ms ? (int)(limit_ms - spent) : 0;
}

static int count_stages(void)
{
	int count = 0;

	while (qfx_stages[count].name)
		count++;
	return count;
}

/* 1 finished, 0 ended before, -1 out of time; *stage is the last one begun. */
static int follow(int from_copy, uint32_t limit_ms, unsigned char *stage)
{
	struct timespec start;
	struct pollfd ready = { .fd = from_copy, .events = POLLIN };
	unsigned char told;
	int left;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while ((left = milliseconds_left(&start, limit_ms)) > 0) {
		show_meter(*stage, count_stages());
		if (poll(&ready, 1, until_shown(left)) <= 0)
			continue;
		if (read(from_copy, &told, 1) != 1)
			return 0;
		if (told == FINISHED)
			return 1;
		*stage = told;
	}
	return -1;
}

/* The last line that crash said, without its line end; empty when none. */
static void last_words(int log, char *line, size_t size)
{
	char text[2048], *word, *next = NULL;
	off_t end = lseek(log, 0, SEEK_END);
	off_t from = end > (off_t)sizeof(text) - 1 ? end - (off_t)sizeof(text) + 1 : 0;
	ssize_t got = pread(log, text, sizeof(text) - 1, from);

	*line = '\0';
	text[got > 0 ? got : 0] = '\0';
	for (word = strtok_r(text, "\n\r", &next); word; word = strtok_r(NULL, "\n\r", &next))
		if (strspn(word, " \t") < strlen(word))
			snprintf(line, size, "%s", word);
}

static void how_it_ended(int outcome, int status, uint32_t limit_ms, char *why, size_t size)
{
	if (outcome < 0)
		snprintf(why, size, "not done within %u.%u s", limit_ms / 1000, limit_ms % 1000 / 100);
	else if (was_interrupted())
		snprintf(why, size, "interrupted");
	else if (WIFSIGNALED(status))
		snprintf(why, size, "ended by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(why, size, "failed");
}

static void report(int outcome, int status, int stage, int log, uint32_t limit_ms)
{
	char why[128], words[512];
	const char *name = stage ? qfx_stages[stage - 1].name : "start";

	how_it_ended(outcome, status, limit_ms, why, sizeof(why));
	last_words(log, words, sizeof(words));
	leave_dead_reader();
	error(INFO, "stage %s %s%s%s\n", name, why, *words ? ": " : "", words);
	error(INFO, "nothing was changed; the session is as it was\n");
}

/* 0 when the session was a copy's, and is this process's again. */
static int session_side(pid_t copy, int from_copy, int log, uint32_t limit_ms)
{
	void (*broken_pipe)(int) = signal(SIGPIPE, SIG_IGN);
	unsigned char stage = 0;
	int outcome, status, result = -1;

	end_on_interrupt(copy);
	start_meter();
	outcome = follow(from_copy, limit_ms, &stage);
	end_meter();
	if (outcome == 1 && end_no_more() == 0 && write(from_copy, "", 1) == 1) {
		stand_in_for(copy, from_copy);
		result = 0;
	} else {
		if (outcome < 0)
			kill(copy, SIGKILL);
		status = wait_for(copy);
		report(outcome, status, stage, log, limit_ms);
	}
	end_wait();
	signal(SIGPIPE, broken_pipe);
	return result;
}

static void set_gdb_threads(void *number)
{
	char command[64];

	snprintf(command, sizeof(command), "maintenance set worker-threads %s", (char *)number);
	gdb_pass_through(command, pc->nullfp, GNU_RETURN_ON_ERROR);
}

/*
 * gdb reads symbols with a pool of threads (mod -s does).  A forked copy has none
 * of them and would wait for their results for ever, so they leave before; without
 * a pool gdb does the work itself.
 */
static pid_t fork_without_threads(void)
{
	guarded(set_gdb_threads, "0");
	return fork_copy();
}

static int cant_fork(void)
{
	error(INFO, "can't fork the session: %s\n", strerror(errno));
	return -1;
}

/* What the old process does when it goes on. */
static void put_back(const struct offsets *offsets, int handed_back)
{
	restore_offsets(offsets, handed_back ? STDERR_FILENO + 1 : 0);
	if (handed_back)
		go_on();
	guarded(set_gdb_threads, "unlimited");
}

int run_transaction(const struct target *target, uint32_t limit_ms, const char *record)
{
	static struct offsets offsets;
	int line[2], log = memfd_create("qemufix", MFD_CLOEXEC), result;
	pid_t copy;

	if (log < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) < 0 ||
	    share_handback() < 0)
		return cant_fork();
	note_offsets(&offsets);
	copy = fork_without_threads();
	if (copy == 0) {
		close(line[0]);
		copy_side(target, line[1], log, record);
		return 0;
	}
	close(line[1]);
	result = copy < 0 ? cant_fork() : session_side(copy, line[0], log, limit_ms);
	put_back(&offsets, result == 0);
	unshare_handback();
	close(line[0]);
	close(log);
	return result;
}
