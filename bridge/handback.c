/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include "defs.h"
#include <poll.h>
#include <stdio_ext.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "fork.h"
#include "guard.h"
#include "handback.h"
#include "record.h"

enum { MAX_AHEAD = 1 << 16, MAX_TYPED = 1 << 16, MAX_RECORD = 1 << 17, ANSWER_MS = 10000 };

/* Memory of both processes: where the input is, and the lines that were typed since. */
struct state {
	struct stat ifile;	/* st_ino is 0 where no input file is read */
	ulong ifile_kind;
	off_t ifile_offset;
	int ifile_done;		/* nothing is left of it */
	ulong to_come;		/* CMDLINE_IFILE where crash's -i FILE has not begun */
	char ifile_command[BUFSIZE];
	size_t ahead_size;	/* of stdin, where it is no file */
	char ahead[MAX_AHEAD];
	char typed[MAX_TYPED];
	char record[MAX_RECORD];
	int no_answer;		/* to a question that may be answered yet */
	char problem[256];
};

static struct state *shared, *origin;
static struct stat origin_ifile;
static ulong origin_ifile_kind;
static int line_to_origin = -1, typed_before;

/* readline's, which crash exports; its headers need not be installed. */
typedef struct { char *line; } history_entry;
history_entry **history_list(void);
void add_history(const char *line);

static void identify(struct stat *file)
{
	memset(file, 0, sizeof(*file));
	if (pc->ifile && fstat(fileno(pc->ifile), file) < 0)
		file->st_ino = 0;
}

static int is_same(const struct stat *one, const struct stat *other)
{
	return one->st_ino == other->st_ino && one->st_dev == other->st_dev;
}

static int count_typed(void)
{
	history_entry **entry = history_list();
	int count = 0;

	while (entry && entry[count])
		count++;
	return count;
}

int share_handback(void)
{
	void *memory = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	shared = memory == MAP_FAILED ? NULL : memory;
	identify(&origin_ifile);
	origin_ifile_kind = pc->ifile_in_progress;
	typed_before = count_typed();
	return shared ? 0 : -1;
}

void unshare_handback(void)
{
	if (shared)
		munmap(shared, sizeof(*shared));
	shared = NULL;
}

void begin_as_copy(int line)
{
	line_to_origin = line;
	origin = shared;
	shared = NULL;
}

int origin_waits(void)
{
	return origin && line_to_origin >= 0;
}

/* An rc file that the copy was made in goes on in the origin, whatever the copy did later. */
static const char *note_input_file(void)
{
	struct stat now;
	char next;

	identify(&now);
	origin->ifile = now;
	origin->ifile_kind = pc->ifile_in_progress;
	origin->to_come = pc->flags & CMDLINE_IFILE;
	origin->ifile_offset = pc->ifile_offset;
	origin->ifile_done = !now.st_ino || pread(fileno(pc->ifile), &next, 1, pc->ifile_offset) < 1;
	snprintf(origin->ifile_command, sizeof(origin->ifile_command), "%s",
		 pc->runtime_ifile_cmd ? pc->runtime_ifile_cmd : "");
	if (origin->ifile_done || !origin_ifile.st_ino || is_same(&now, &origin_ifile))
		return NULL;
	return "what is left of this input file would be lost: give the command at the prompt";
}

/* A file is read on from the place where the next command is; a pipe can't be put back. */
static const char *note_stdin(void)
{
	size_t ahead = stdin->_IO_read_end - stdin->_IO_read_ptr;

	origin->ahead_size = 0;
	if (!ahead || lseek(0, 0, SEEK_CUR) >= 0)
		return NULL;
	if (ahead > sizeof(origin->ahead))
		return "too many commands are waiting on stdin";
	memcpy(origin->ahead, stdin->_IO_read_ptr, ahead);
	origin->ahead_size = ahead;
	return NULL;
}

/* As many of the last lines as there is room for. */
static const char *note_typed(void)
{
	history_entry **entry = history_list();
	size_t used = 0;

	for (int i = typed_before; entry && entry[i]; i++) {
		size_t size = strlen(entry[i]->line) + 1;

		if (used + size >= sizeof(origin->typed))
			break;
		memcpy(origin->typed + used, entry[i]->line, size);
		used += size;
	}
	origin->typed[used] = '\0';
	return NULL;
}

/* Waits for the answer to a question of ours. */
static const char *ask_origin(void)
{
	struct pollfd ready = { .fd = line_to_origin, .events = POLLIN };
	unsigned char word = ASK_BACK;

	origin->no_answer = TRUE;
	if (write(line_to_origin, &word, 1) != 1 || poll(&ready, 1, ANSWER_MS) != 1 ||
	    read(line_to_origin, &word, 1) != 1)
		return "the process that has it does not answer";
	origin->no_answer = FALSE;
	return word == READY ? NULL : "the process that has it can't go on";
}

struct back_step qfx_back_steps[] = {
	{ "note_input_file", note_input_file },
	{ "note_stdin", note_stdin },
	{ "note_typed", note_typed },
	{ "ask_origin", ask_origin },
	{ NULL, NULL }
};

static struct back_step *current;
static const char *problem;

static void run_step(void *unused)
{
	(void)unused;
	problem = current->run();
}

/* In a process of its own, so that nothing that befalls it befalls the session. */
static void __attribute__((noreturn)) take_steps(void)
{
	for (current = qfx_back_steps; current->name; current++) {
		problem = "failed";
		if (guarded(run_step, NULL) || problem) {
			snprintf(origin->problem, sizeof(origin->problem), "%s", problem);
			_exit(1);
		}
	}
	_exit(0);
}

/* TRUE when all is told, and the origin is ready. */
static int tell_origin(void)
{
	pid_t teller;
	int status;

	snprintf(origin->problem, sizeof(origin->problem), "it can't be told where the input is");
	origin->no_answer = FALSE;
	teller = fork_copy();
	if (teller == 0)
		take_steps();
	if (teller < 0)
		return FALSE;
	status = wait_for(teller);
	end_wait();
	if (origin->no_answer)
		line_to_origin = -1;	/* an answer that comes late is not for the next question */
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Not clean_exit(): the files that it removes are the origin's, too. */
static void __attribute__((noreturn)) hand_back(void)
{
	off_t ahead = stdin->_IO_read_end - stdin->_IO_read_ptr;
	unsigned char word = HANDED_BACK;

	fprintf(fp, "Undone: this is the session as it was started.\n");
	release_output();
	fflush(NULL);
	finish_output();
	if (ahead)
		lseek(0, -ahead, SEEK_CUR);
	_exit(write(line_to_origin, &word, 1) == 1 ? 0 : 1);
}

int run_go_back(const char *record)
{
	if (!origin_waits())
		return error(INFO, "not undone: there is no session to go back to\n"), -1;
	if (strlen(record) >= sizeof(origin->record))
		record = "";
	strcpy(origin->record, record);
	if (tell_origin())
		hand_back();
	error(INFO, "not undone, the session is as it was: %s\n", origin->problem);
	return -1;
}

int ready_to_go_on(void)
{
	int wanted = !pc->ifile && !shared->ifile_done;

	if (wanted && !pc->runtime_ifile_cmd)
		pc->runtime_ifile_cmd = calloc(1, BUFSIZE);
	return (!wanted || pc->runtime_ifile_cmd) && shared->ahead_size <= sizeof(shared->ahead);
}

/* The copy has read on: what stdio holds of it here was run there. */
static void take_stdin(void)
{
	off_t at = lseek(0, 0, SEEK_CUR);

	__fpurge(stdin);
	clearerr(stdin);
	if (at >= 0)
		lseek(0, at, SEEK_SET);
	for (size_t i = shared->ahead_size; i-- > 0;)
		ungetc((unsigned char)shared->ahead[i], stdin);
}

/*
 * In a loop over an input file, that goes on where the copy was in it, or ends; at the
 * prompt crash goes on with a file as it does after an error in it (process_command_line()).
 */
static void take_input_file(void)
{
	pc->flags &= ~(ulonglong)CMDLINE_IFILE | shared->to_come;
	if (pc->ifile && is_same(&shared->ifile, &origin_ifile)) {
		fseek(pc->ifile, shared->ifile_offset, SEEK_SET);
		pc->ifile_offset = shared->ifile_offset;
	} else if (pc->ifile && (origin_ifile_kind & (RCHOME_IFILE | RCLOCAL_IFILE))) {
		fseek(pc->ifile, pc->ifile_offset, SEEK_SET);
	} else if (pc->ifile) {
		fseek(pc->ifile, 0, SEEK_END);
	} else if (!shared->ifile_done) {
		pc->ifile_in_progress = shared->ifile_kind;
		pc->ifile_offset = shared->ifile_offset;
		snprintf(pc->runtime_ifile_cmd, BUFSIZE, "%s", shared->ifile_command);
	}
}

void go_on(void)
{
	take_stdin();
	take_input_file();
	for (char *line = shared->typed; *line; line += strlen(line) + 1)
		add_history(line);
	keep_record(shared->record);
}
