/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Facts, physical reads and messages: crash's services as plain C functions. */
#include "defs.h"
#include "guard.h"
#include "handback.h"
#include "host.h"
#include "protocol.h"
#include "record.h"

static void fact(FILE *to, const char *name, const char *value)
{
	fprintf(to, "%s=%s%c", name, value ? value : "", '\0');
}

static void number(FILE *to, const char *name, long long value)
{
	fprintf(to, "%s=%lld%c", name, value, '\0');
}

/* From a full session there is no way back to the state before kernel_init(). */
static int can_reinit(void)
{
	return qfx_stages->name && (pc->flags & MINIMAL_MODE) && DUMPFILE() &&
	       !XEN_HYPER_MODE() && can_relocate_gdb();
}

static void print_session(FILE *to)
{
	number(to, "minimal", !!(pc->flags & MINIMAL_MODE));
	number(to, "live", !!ACTIVE());
	number(to, "rc_file", !!(pc->ifile_in_progress & (RCHOME_IFILE | RCLOCAL_IFILE)));
	number(to, "in_process", can_reinit());
	number(to, "scroll", !!(pc->flags & SCROLL));
	number(to, "radix", pc->output_radix);
	number(to, "debug", pc->debug);
#ifdef X86_64
	number(to, "phys_base", (int64_t)machdep->machspec->phys_base);
#elif defined(ARM64)
	number(to, "kimage_voffset", (int64_t)machdep->machspec->kimage_voffset);
#endif
	number(to, "kaslr_offset", -(int64_t)kt->relocate);	/* crash keeps it negated */
}

/* In the order of loading: the newest is the head of the list. */
static void print_extensions(FILE *to)
{
	struct extension_table *ext = extension_table;

	while (ext && ext->next)
		ext = ext->next;
	for (; ext; ext = ext->prev)
		fact(to, "extension", ext->filename);
}

/* A process in an emulator can't learn it from another one: /proc has the emulator's. */
static void print_command_line(FILE *to)
{
	FILE *from = fopen("/proc/self/cmdline", "re");
	char *argument = NULL;
	size_t size = 0;

	while (from && getdelim(&argument, &size, '\0', from) > 0)
		fact(to, "argument", argument);
	free(argument);
	if (from)
		fclose(from);
}

void print_facts(FILE *to)
{
	number(to, "protocol", QFX_PROTOCOL);
	fact(to, "version", pc->program_version);
	fact(to, "built_for", CRASH_VERSION);
	fact(to, "machine", pc->machine_type);
	fact(to, "dumpfile", pc->dumpfile);
	fact(to, "namelist", pc->namelist);
	print_session(to);
	fact(to, "record", kept_record());
	number(to, "origin_waits", origin_waits());
	print_extensions(to);
	print_command_line(to);
}

struct memory_read {
	uint64_t address;
	int memtype;
	void *buffer;
	size_t size;
	int done;
};

static void do_read(void *arg)
{
	struct memory_read *r = arg;

	r->done = readmem(r->address, r->memtype, r->buffer, r->size, "qemufix",
			  QUIET | RETURN_ON_ERROR);
}

int read_memory(uint64_t address, int memtype, void *buffer, size_t size)
{
	struct memory_read r = { address, memtype, buffer, size, 0 };

	if (guarded(do_read, &r) || !r.done)
		return -1;
	return 0;
}

static void do_say(void *line)
{
	/* error() would print to the terminal too, and whoever collects prints it again. */
	if (is_collected())
		fprintf(fp, "%s: %s\n", pc->curcmd, (char *)line);
	else
		error(INFO, "%s\n", (char *)line);
}

int say(const char *line)
{
	return guarded(do_say, (void *)line);
}

long pending_script(char *buffer, size_t size)
{
	ssize_t got;

	/* crash notes the place after each line, for going on after an error. */
	if (!pc->ifile || !pc->ifile_in_progress)
		return 0;
	got = pread(fileno(pc->ifile), buffer, size, pc->ifile_offset);
	return got < 0 ? -1 : got;
}
