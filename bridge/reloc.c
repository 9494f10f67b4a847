/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Moving the kernel's symbols, in crash's table and in gdb's. */
#define _GNU_SOURCE
#include "defs.h"
#include <dlfcn.h>
#include "guard.h"
#include "releases.h"

/* gdb's objfile_rebase(objfile *, CORE_ADDR) as the C++ compiler names it. */
#define OBJFILE_REBASE "_Z14objfile_rebaseP7objfilem"

/*
 * The chains that crash's symval_hash_init() makes: in table order, and with the
 * starting point of searches, val_hash_last, at the first of each.
 */
static void rebuild_value_hash(void)
{
	struct syment *sp;

	memset(st->symval_hash, 0, sizeof(st->symval_hash));
	for (sp = st->symend - 1; sp >= st->symtable; sp--) {
		int i = SYMVAL_HASH_INDEX(sp->value);

		sp->val_hash_next = st->symval_hash[i].val_hash_head;
		st->symval_hash[i].val_hash_head = sp;
		st->symval_hash[i].val_hash_last = sp;
	}
}

static void reread_per_cpu_range(void)
{
	struct syment *sp;

	if ((sp = symbol_search("__per_cpu_start")))
		st->__per_cpu_start = sp->value;
	if ((sp = symbol_search("__per_cpu_end")))
		st->__per_cpu_end = sp->value;
}

/*
 * Symbols outside the kernel's sections are offsets or absolute values and stay
 * (crash symbols.c relocate()).
 */
void relocate_symbols(const struct target *target)
{
	ulong old = -kt->relocate;
	ulong shift = target->kaslr_offset - old;
	struct syment *sp;

	for (sp = st->symtable; shift && sp < st->symend; sp++) {
		ulong linked = sp->value - old;

		if (linked >= st->first_section_start && linked <= st->last_section_end)
			sp->value += shift;
	}
	kt->relocate = -target->kaslr_offset;
	if (target->kaslr_offset) {
		kt->flags |= RELOC_SET;
		kt->flags2 |= KASLR;
	}
	if (shift) {
		rebuild_value_hash();
		reread_per_cpu_range();
	}
}

static void *rebase_function(void)
{
	return dlsym(RTLD_DEFAULT, OBJFILE_REBASE);
}

int can_relocate_gdb(void)
{
	return GDB_CANT_REBASE || (rebase_function() && dlsym(RTLD_DEFAULT, "gdb_kernel_objfile"));
}

/* As gdb_main_loop() gives it to gdb. */
static char *gdb_namelist(void)
{
	if (pc->namelist_debug)
		return pc->namelist_debug;
	return pc->debuginfo_file && (st->flags & CRC_MATCHES) ? pc->debuginfo_file : pc->namelist;
}

/* Takes as long as gdb did at the start; all that it knew of the file is read again. */
static void read_anew(ulong offset)
{
	char command[PATH_MAX + 64];

	snprintf(command, sizeof(command), "symbol-file -o 0x%lx \"%s\"", offset, gdb_namelist());
	if (!gdb_pass_through(command, pc->nullfp, GNU_RETURN_ON_ERROR))
		error(FATAL, "gdb can't read %s again\n", gdb_namelist());
}

/* The offset counts from the linked addresses, whatever was applied before. */
void relocate_gdb(const struct target *target)
{
	void (*rebase)(void *, unsigned long) = (void (*)(void *, unsigned long))rebase_function();
	void **objfile = dlsym(RTLD_DEFAULT, "gdb_kernel_objfile");

	if (GDB_CANT_REBASE)
		read_anew(target->kaslr_offset);
	else if (rebase && objfile && *objfile)
		rebase(*objfile, target->kaslr_offset);
	else
		error(FATAL, "this crash's gdb can't move the kernel's symbols\n");
}
