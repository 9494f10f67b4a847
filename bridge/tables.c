/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whether crash's tables are laid out as in the defs.h that this was built with.  A
 * version says it only as long as nobody patches crash; the sizes in crash's own
 * symbol table say it of the program that runs.
 */
#define _GNU_SOURCE
#include "defs.h"
#include <dlfcn.h>
#include <link.h>
#include "tables.h"

static const struct {
	const char *name;
	size_t size;
} tables[] = {
	{ "program_context", sizeof(struct program_context) },
	{ "machdep_table", sizeof(struct machdep_table) },
	{ "kernel_table", sizeof(struct kernel_table) },
	{ "task_table", sizeof(struct task_table) },
	{ "vm_table", sizeof(struct vm_table) },
	{ "symbol_table_data", sizeof(struct symbol_table_data) },
	{ "offset_table", sizeof(struct offset_table) },
	{ "size_table", sizeof(struct size_table) },
	{ "array_table", sizeof(struct array_table) },
#ifdef X86_64
	{ "x86_64_machine_specific", sizeof(struct machine_specific) },
#endif
};

static size_t size_of(const char *name)
{
	void *table = dlsym(RTLD_DEFAULT, name);
	const ElfW(Sym) *symbol = NULL;
	Dl_info info;

	if (!table || !dladdr1(table, &info, (void **)&symbol, RTLD_DL_SYMENT) || !symbol)
		return 0;
	return symbol->st_size;
}

const char *strange_table(void)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		if (size_of(tables[i].name) != tables[i].size)
			return tables[i].name;
	return NULL;
}
