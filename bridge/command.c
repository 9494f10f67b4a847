/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A command's search runs in a forked copy of the session: whatever happens to
 * it, Ctrl-C included, the session is untouched, and no interpreter stays behind
 * to stand in the way of another extension's.  What is to be done to the session
 * itself comes back as a request, and is done when the copy has ended.
 */
#define _GNU_SOURCE
#include "defs.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "fork.h"
#include "guard.h"
#include "host.h"

enum { REQUEST_TEXT = 1 << 20 };

enum request_kind { NOTHING, APPLY, RESTART_CRASH };

struct request {
	enum request_kind kind;
	struct target target;
	uint32_t limit_ms;
	size_t args_size, script_size;
	char text[REQUEST_TEXT];	/* the arguments, then the script */
};

static struct request *request;
static int in_copy;

int qfx_apply(int64_t phys_base, int64_t kaslr_offset, uint32_t limit_ms)
{
	struct target target = { phys_base, kaslr_offset };

	if (!in_copy)
		return run_transaction(&target, limit_ms);
	request->target = target;
	request->limit_ms = limit_ms;
	request->kind = APPLY;
	return 0;
}

int qfx_restart(const char *args, size_t size, const char *script, size_t script_size)
{
	if (!in_copy)
		return run_restart(args, size, script, script_size);
	if (size > REQUEST_TEXT || script_size > REQUEST_TEXT - size)
		return -1;
	memcpy(request->text, args, size);
	memcpy(request->text + size, script, script_size);
	request->args_size = size;
	request->script_size = script_size;
	request->kind = RESTART_CRASH;
	return 0;
}

/* The copy of an interpreter that runs in the session needs to know (os.fork() does this). */
static void tell_python(void)
{
	int (*running)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "Py_IsInitialized");
	void (*after_fork)(void) = (void (*)(void))dlsym(RTLD_DEFAULT, "PyOS_AfterFork_Child");

	if (running && after_fork && running())
		after_fork();
}

static void copy_side(int argc, char **argv, int (*run)(int, char **))
{
	int null = open("/dev/null", O_RDONLY);
	int status;

	in_copy = 1;
	dup2(null, 0);
	signal(SIGINT, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	tell_python();
	status = run(argc, argv);
	fflush(NULL);
	_exit(status);	/* exit() would move the session's place in its input */
}

static int perform(void)
{
	switch (request->kind) {
	case APPLY:
		return run_transaction(&request->target, request->limit_ms);
	case RESTART_CRASH:
		return run_restart(request->text, request->args_size,
				   request->text + request->args_size, request->script_size);
	default:
		return 0;
	}
}

static int run_copy(int argc, char **argv, int (*run)(int, char **))
{
	pid_t copy = fork_copy();
	int status;

	if (copy == 0)
		copy_side(argc, argv, run);
	if (copy < 0)
		return error(INFO, "can't fork: %s\n", strerror(errno)), -1;
	status = wait_for(copy);
	end_wait();
	if (WIFSIGNALED(status)) {
		error(INFO, "ended by signal %d (%s); the session is as it was\n",
		      WTERMSIG(status), strsignal(WTERMSIG(status)));
		return -1;
	}
	return WEXITSTATUS(status);
}

int qfx_command(int argc, char **argv, int (*run)(int argc, char **argv))
{
	int status;

	request = mmap(NULL, sizeof(*request), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (request == MAP_FAILED)
		return error(INFO, "no memory: %s\n", strerror(errno)), -1;
	status = run_copy(argc, argv, run);
	if (status == 0)
		status = perform();
	munmap(request, sizeof(*request));
	return status;
}
