/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The places in the files that are read: a copy of the process shares them, and
 * may move them when it ends.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>
#include "offsets.h"

static int reads_only(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) == O_RDONLY;
}

void note_offsets(struct offsets *offsets)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	offsets->count = 0;
	while (dir && (entry = readdir(dir)) && offsets->count < MAX_OFFSETS) {
		int fd = atoi(entry->d_name);
		off_t at;

		if (entry->d_name[0] == '.' || fd == dirfd(dir) || !reads_only(fd))
			continue;
		if ((at = lseek(fd, 0, SEEK_CUR)) < 0)
			continue;
		offsets->fd[offsets->count] = fd;
		offsets->at[offsets->count++] = at;
	}
	if (dir)
		closedir(dir);
}

void restore_offsets(const struct offsets *offsets, int from)
{
	for (int i = 0; i < offsets->count; i++)
		if (offsets->fd[i] >= from && lseek(offsets->fd[i], 0, SEEK_CUR) != offsets->at[i])
			lseek(offsets->fd[i], offsets->at[i], SEEK_SET);
}
