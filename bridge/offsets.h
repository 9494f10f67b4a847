/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef QEMUFIX_OFFSETS_H
#define QEMUFIX_OFFSETS_H

#include <sys/types.h>

#define MAX_OFFSETS 256

struct offsets {
	int count;
	int fd[MAX_OFFSETS];
	off_t at[MAX_OFFSETS];
};

void note_offsets(struct offsets *offsets);
void restore_offsets(const struct offsets *offsets, int from);

#endif
