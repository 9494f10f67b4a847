/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The steps that bring a minimal session up with another translation: what
 * crash's main() and main_loop() do between symtab_init() and the first prompt.
 */
#include "defs.h"
#include "guard.h"
#include "releases.h"

#ifdef STAGES_FIT

/* Set by x86_64_init() from what it read through the old translation. */
#define DERIVED_FLAGS (VM_5LEVEL | RANDOMIZED | VMEMMAP | VM_FLAGS | KPTI | L1TF | \
		       ORC | ORC_6_4 | FRAMEPOINTER | NESTED_NMI | SCHED_TEXT | \
		       GART_REGION | NO_TSS)

static void translation(const struct target *target)
{
	struct machine_specific *ms = machdep->machspec;

	ms->phys_base = target->phys_base;
	machdep->flags |= PHYS_BASE;	/* x86_64_calc_phys_base() keeps it */
	machdep->flags &= ~(ulong)DERIVED_FLAGS;
	machdep->last_pgd_read = machdep->last_pud_read = 0;
	machdep->last_pmd_read = machdep->last_ptbl_read = 0;
	ms->last_upml_read = ms->last_p4d_read = 0;
	/* There for a kernel with 5 levels only, which the wrong base may have feigned. */
	free(ms->p4d);
	ms->p4d = NULL;
	vt->vmalloc_start = 0;
	memset(vt->kernel_pgd, 0, sizeof(vt->kernel_pgd));
}

static void early(const struct target *target)
{
	(void)target;
	paravirt_init();
	machdep_init(PRE_GDB);
	datatype_init();
	machdep_init(POST_RELOC);
	kdump_backup_region_init();
	read_in_kernel_config(IKCFG_INIT);
}

static void kernel(const struct target *target)
{
	(void)target;
	pc->flags &= ~MINIMAL_MODE;
	kernel_init();
}

/*
 * FILL_TOP_PGD() (defs.h) reads the top-level table only before RUNTIME is set,
 * so in a running session nobody else would.
 */
static void top_page_table(const struct target *target)
{
	const char *name = symbol_exists("init_level4_pgt") ? "init_level4_pgt" : "init_top_pgt";

	(void)target;
	vt->kernel_pgd[0] = symbol_value((char *)name);
	FILL_PGD(vt->kernel_pgd[0], KVADDR, PAGESIZE());
}

static void machine(const struct target *target)
{
	(void)target;
	machdep_init(POST_GDB);
}

static void memory(const struct target *target)
{
	(void)target;
	vm_init();
	machdep_init(POST_VM);
}

static void finish(const struct target *target)
{
	(void)target;
	machdep_init(POST_INIT);
}

#define CALL(function) \
	static void call_##function(const struct target *target) { (void)target; function(); }
CALL(module_init)
CALL(help_init)
CALL(task_init)
CALL(vfs_init)
CALL(net_init)
CALL(dev_init)

struct stage qfx_stages[] = {
	{ "relocate_symbols", relocate_symbols },
	{ "relocate_gdb", relocate_gdb },
	{ "translation", translation },
	{ "machdep_init", early },
	{ "kernel_init", kernel },
	{ "top_page_table", top_page_table },
	{ "machdep_init_post_gdb", machine },
	{ "vm_init", memory },
	{ "module_init", call_module_init },
	{ "help_init", call_help_init },
	{ "task_init", call_task_init },
	{ "vfs_init", call_vfs_init },
	{ "net_init", call_net_init },
	{ "dev_init", call_dev_init },
	{ "machdep_init_post_init", finish },
	{ NULL, NULL }
};

#else

struct stage qfx_stages[] = { { NULL, NULL } };

#endif
