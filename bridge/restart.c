/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Starting crash again in this process, with the input that is waiting. */
#define _GNU_SOURCE
#include "defs.h"
#include <fcntl.h>
#include <stdio_ext.h>
#include <sys/mman.h>
#include "fork.h"
#include "guard.h"
#include "record.h"

enum { MAX_ARGS = 1024 };

/* Set for the new session, so that a restart that did not help is not repeated. */
#define RESTARTED "QEMUFIX_RESTARTED"
/* The file descriptor of the command history; qemufix.so reads it on loading. */
#define HISTORY "QEMUFIX_HISTORY"

/* readline's, which crash exports; its headers need not be installed. */
typedef struct { char *line; } history_entry;
history_entry **history_list(void);

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t done = write(fd, data, size);

		if (done < 0 && errno != EINTR)
			return -1;
		if (done > 0) {
			data += done;
			size -= done;
		}
	}
	return 0;
}

/* Commands to run first, as a file that only this process has; -1 when none. */
static int script_file(const char *script, size_t size)
{
	int fd = size ? memfd_create("qemufix-commands", 0) : -1;

	if (fd >= 0 && write_all(fd, script, size)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The command history as a file, like script_file(); -1 when there is none. */
static int history_file(void)
{
	history_entry **entry = history_list();
	int fd = entry ? memfd_create("qemufix-history", 0) : -1;
	char number[16];

	if (fd < 0)
		return -1;
	for (; *entry; entry++)
		dprintf(fd, "%s\n", (*entry)->line);
	snprintf(number, sizeof(number), "%d", fd);
	setenv(HISTORY, number, 1);
	return fd;
}

/* Runs in a child: first what stdio had read ahead, then the rest of the input. */
static void relay(int to, const char *ahead, size_t size)
{
	char buffer[4096];
	ssize_t got;

	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_DFL);
	if (write_all(to, ahead, size))
		_exit(1);
	while ((got = read(0, buffer, sizeof(buffer))) != 0) {
		if (got < 0 && errno != EINTR)
			_exit(1);
		if (got > 0 && write_all(to, buffer, got))
			_exit(1);
	}
	_exit(0);
}

/* Commands that stdio has taken from a pipe or a file, but crash has not run yet. */
static int return_input(void)
{
	size_t ahead = stdin->_IO_read_end - stdin->_IO_read_ptr;
	int line[2];
	pid_t child;

	if (!ahead || lseek(0, -(off_t)ahead, SEEK_CUR) >= 0)
		return 0;
	if (pipe(line) < 0 || (child = fork()) < 0)
		return -1;
	if (child == 0) {
		dup2(line[1], 3);
		close_range(4, ~0U, 0);
		relay(3, stdin->_IO_read_ptr, ahead);
	}
	dup2(line[0], 0);
	close(line[0]);
	close(line[1]);
	return 0;
}

static void keep_open(int fd)
{
	if (fd >= 0)
		fcntl(fd, F_SETFD, 0);
}

static void reset_process(int script_fd)
{
	static const int signals[] = { SIGINT, SIGQUIT, SIGPIPE, SIGSEGV };
	int history_fd = history_file();
	sigset_t none;

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		signal(signals[i], SIG_DFL);
	drop_interrupt();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	keep_open(script_fd);
	keep_open(history_fd);
	setenv(RESTARTED, "1", 1);
	/* What clean_exit() would remove: crash unpacks a compressed vmlinux anew. */
	if (pc->namelist_orig)
		unlink(pc->namelist);
	if (pc->namelist_debug_orig)
		unlink(pc->namelist_debug);
}

static void execute(char **argv, int script_fd, const char *record)
{
	char *before = strdup(kept_record());

	keep_record(record);
	reset_process(script_fd);
	execv(CRASH_PROGRAM, argv);
	keep_record(before ? before : "");
	free(before);
}

int run_restart(const char *args, size_t size, const char *record,
		const char *script, size_t script_size)
{
	static char *argv[MAX_ARGS + 3];
	static char script_path[64];
	int argc = 0, script_fd = script_file(script, script_size);

	for (const char *arg = args; arg < args + size && argc < MAX_ARGS; arg += strlen(arg) + 1)
		argv[argc++] = (char *)arg;
	if (script_fd >= 0) {
		snprintf(script_path, sizeof(script_path), "/proc/self/fd/%d", script_fd);
		argv[argc++] = "-i";
		argv[argc++] = script_path;
	} else if (script_size) {
		return error(INFO, "can't keep the waiting commands: %s\n", strerror(errno)), -1;
	}
	release_output();
	fflush(NULL);
	finish_output();
	if (interrupt_waits())
		return drop_interrupt(), say_interrupted(), -1;
	if (return_input())
		return error(INFO, "can't keep the waiting input: %s\n", strerror(errno)), -1;
	execute(argv, script_fd, record);
	error(INFO, "can't start crash again: %s\n", strerror(errno));
	return -1;
}
