/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Facts, physical reads and output: crash's services as plain C functions. */
#include "defs.h"
#include "guard.h"
#include "host.h"

/*
 * Whether the stages of reinit.c are known to be this crash's own start: they
 * were held against the sources of crash 8 and tried there, with its gdb 10.
 * From a full session there is no way back to the state before kernel_init().
 */
static int can_reinit(void)
{
	return STRNEQ(CRASH_VERSION, "8.") && (pc->flags & MINIMAL_MODE) && DUMPFILE() &&
	       !XEN_HYPER_MODE() && can_relocate_gdb();
}

static uint32_t session_flags(void)
{
	uint32_t flags = 0;

	if (pc->flags & MINIMAL_MODE)
		flags |= QFX_MINIMAL;
	if (ACTIVE())
		flags |= QFX_LIVE;
	if (pc->ifile_in_progress & (RCHOME_IFILE | RCLOCAL_IFILE))
		flags |= QFX_RC_FILE;
#ifdef X86_64
	flags |= QFX_TRANSLATION;
	if (can_reinit())
		flags |= QFX_IN_PROCESS;
#endif
	return flags;
}

int qfx_facts(struct qfx_facts *facts)
{
	memset(facts, 0, sizeof(*facts));
	facts->abi = QFX_ABI;
	facts->flags = session_flags();
	facts->dumpfile = pc->dumpfile;
	facts->namelist = pc->namelist;
	facts->version = pc->program_version;
	facts->built_for = CRASH_VERSION;
	facts->machine = pc->machine_type;
#ifdef X86_64
	facts->phys_base = machdep->machspec->phys_base;
	facts->kaslr_offset = -(int64_t)kt->relocate;	/* crash keeps it negated */
#endif
	return 0;
}

struct read_request {
	uint64_t paddr;
	void *buffer;
	size_t size;
	int done;
};

static void do_read(void *arg)
{
	struct read_request *r = arg;

	r->done = readmem(r->paddr, PHYSADDR, r->buffer, r->size, "qemufix",
			  QUIET | RETURN_ON_ERROR);
}

int qfx_read_phys(uint64_t paddr, void *buffer, size_t size)
{
	struct read_request r = { paddr, buffer, size, 0 };

	if (guarded(do_read, &r) || !r.done)
		return -1;
	return 0;
}

int qfx_write(const char *text, size_t size)
{
	return fwrite(text, 1, size, fp) == size ? 0 : -1;
}

static void do_message(void *line)
{
	error(INFO, "%s\n", (char *)line);
}

int qfx_message(const char *line)
{
	fflush(fp);
	return guarded(do_message, (void *)line);
}

const char *qfx_extension(unsigned int i)
{
	struct extension_table *ext = extension_table;

	while (ext && ext->next)	/* the newest is the head of the list */
		ext = ext->next;
	while (ext && i--)
		ext = ext->prev;
	return ext ? ext->filename : NULL;
}

int qfx_settings(int *scroll, int *radix, int *debug)
{
	*scroll = !!(pc->flags & SCROLL);
	*radix = pc->output_radix;
	*debug = pc->debug;
	return 0;
}

long qfx_pending_script(char *buffer, size_t size)
{
	ssize_t got;

	/* crash notes the place after each line, for going on after an error. */
	if (!pc->ifile || !pc->ifile_in_progress)
		return 0;
	got = pread(fileno(pc->ifile), buffer, size, pc->ifile_offset);
	return got < 0 ? -1 : got;
}
