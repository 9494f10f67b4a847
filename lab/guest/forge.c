// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Forges a kernel image in this program's own memory, as far as a search can check one:
 * its banner, its build ID, its phys_base variable and page tables that map it, all at the
 * offsets that the running kernel's symbols have, all agreeing with where it really lies.
 *
 * Needs physically contiguous memory: transparent huge pages, sorted by where they are.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE (2UL << 20)
#define PAGE 4096UL
#define COUNT 160			/* huge pages to choose from */
#define KERNEL_MAP 0xffffffff80000000UL	/* __START_KERNEL_map */
#define LINKED 0xffffffff81000000UL	/* _text without KASLR */
#define TABLE 0x63UL			/* present, writable, accessed, dirty */
#define LARGE 0xe3UL			/* the same, and a 2 MiB page */

struct chunk {
	uint64_t paddr;
	char *vaddr;
};

static struct chunk chunks[COUNT];
static int first;			/* of the contiguous run that holds the forgery */

static uint64_t symbol(const char *wanted)
{
	char line[512], name[256], type;
	uint64_t value, found = 0;
	FILE *file = fopen("/proc/kallsyms", "r");

	while (!found && fgets(line, sizeof(line), file))
		if (sscanf(line, "%" SCNx64 " %c %255s", &value, &type, name) == 3 &&
		    !strcmp(name, wanted))
			found = value;
	fclose(file);
	return found;
}

static uint64_t paddr_of(int pagemap, const char *vaddr)
{
	uint64_t entry = 0;

	if (pread(pagemap, &entry, 8, (uintptr_t)vaddr / PAGE * 8) != 8)
		return 0;
	return (entry & ((1UL << 55) - 1)) * PAGE;
}

static int by_paddr(const void *a, const void *b)
{
	const struct chunk *x = a, *y = b;

	return x->paddr < y->paddr ? -1 : x->paddr > y->paddr;
}

/* Where an offset into the forged image lies in this program's memory. */
static char *at(uint64_t offset)
{
	return chunks[first + offset / HUGE].vaddr + offset % HUGE;
}

static void copy(uint64_t offset, const void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		*at(offset + i) = ((const char *)data)[i];
}

static int find_run(int needed)
{
	for (int start = 0, i = 1; i <= COUNT; i++) {
		if (i - start == needed)
			return start;
		if (i < COUNT && chunks[i].paddr != chunks[i - 1].paddr + HUGE)
			start = i;
	}
	return -1;
}

int main(void)
{
	uint64_t text = symbol("_text"), size = symbol("_end") - text;
	uint64_t top = symbol("init_top_pgt") - text, base, phys_base;
	int needed = size / HUGE + 1, pagemap = open("/proc/self/pagemap", O_RDONLY);
	char banner[512] = "", notes[4096], *memory;
	uint64_t *upper, *middle, *lower;
	ssize_t length;
	int file;

	memory = mmap(NULL, (COUNT + 1) * HUGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memory = (char *)(((uintptr_t)memory + HUGE - 1) & ~(HUGE - 1));
	madvise(memory, COUNT * HUGE, MADV_HUGEPAGE);
	for (int i = 0; i < COUNT; i++) {
		memset(memory + i * HUGE, 0, HUGE);
		chunks[i].vaddr = memory + i * HUGE;
		chunks[i].paddr = paddr_of(pagemap, chunks[i].vaddr);
	}
	qsort(chunks, COUNT, sizeof(chunks[0]), by_paddr);
	first = find_run(needed);
	if (first < 0 || !chunks[first].paddr) {
		puts("=== LAB FORGE no contiguous memory");
		return 1;
	}
	base = chunks[first].paddr;
	phys_base = base - (LINKED - KERNEL_MAP);

	file = open("/proc/version", O_RDONLY);
	length = read(file, banner, sizeof(banner) - 1);
	copy(symbol("linux_banner") - text, banner, length + 1);
	file = open("/sys/kernel/notes", O_RDONLY);
	length = read(file, notes, sizeof(notes));
	copy(symbol("__start_notes") - text, notes, length);
	copy(symbol("phys_base") - text, &phys_base, 8);

	/* The two tables below the top one: right behind it, in the forged image. */
	upper = (uint64_t *)at(top);
	middle = (uint64_t *)at(top + 2 * PAGE);
	lower = (uint64_t *)at(top + 3 * PAGE);
	upper[511] = (base + top + 2 * PAGE) | TABLE;
	middle[510] = (base + top + 3 * PAGE) | TABLE;
	for (int i = 0; i < needed; i++)
		lower[(LINKED - KERNEL_MAP) / HUGE + i] = (base + i * HUGE) | LARGE;

	printf("=== LAB FORGE phys_base %#" PRIx64 "\n", phys_base);
	fflush(stdout);
	close(open("/tmp/forged", O_CREAT | O_WRONLY, 0600));
	for (;;)
		pause();
}
