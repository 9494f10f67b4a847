/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Loaded before libc: counts what a process does to the files of one folder, and makes the
 * n-th of it go wrong. Nothing happens before fault_arm() is called.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum kind {
	KILL,	/* killed before the call */
	TORN,	/* killed when half of what is written was written, or before the call */
	SHORT,	/* half is written, and the call says so */
	EIO_ONCE, EIO_EVER,	/* the call fails, or all from there on */
	FULL,	/* from there on nothing can make a file longer, nor a new one */
	LOST,	/* the machine stops: what was not synced is lost */
	HOLED,	/* the same, but of what was not synced only the first is lost */
};

static char folder[PATH_MAX];
static long at, count;
static enum kind kind;

/* What has not been synced: bytes that were written over, or a rename. */
static struct unsynced {
	char path[PATH_MAX], renamed_from[PATH_MAX];
	off_t offset, file_size;
	ssize_t size;
	char *old;
} unsynced[64];
static int pending;

void fault_arm(const char *where, long number, int which)
{
	snprintf(folder, sizeof(folder), "%s/", where);
	at = number;
	count = pending = 0;
	kind = which;
}

long fault_count(void) { return count; }

static int is_ours(const char *path) { return *folder && !strncmp(path, folder, strlen(folder)); }

static int is_our_file(int fd)
{
	char link[64], path[PATH_MAX] = "";

	if (!*folder)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return readlink(link, path, sizeof(path) - 2) > 0 && (strcat(path, "/"), is_ours(path));
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static struct unsynced *remember(void)
{
	if (pending == sizeof(unsynced) / sizeof(*unsynced))
		abort();
	return memset(&unsynced[pending++], 0, sizeof(*unsynced));
}

static void remember_write(int fd, off_t offset, size_t size)
{
	struct unsynced *it;
	struct stat facts;
	char link[64];

	if (kind != LOST && kind != HOLED)
		return;
	it = remember();
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	it->path[readlink(link, it->path, PATH_MAX - 1)] = 0;
	fstat(fd, &facts);
	it->offset = offset;
	it->file_size = facts.st_size;
	it->old = calloc(1, size);
	it->size = size;
	fd = open(it->path, O_RDONLY);
	if (pread(fd, it->old, size, offset) < 0)
		abort();
	close(fd);
}

/* What is synced is safe; a folder's sync keeps its renames. */
static void forget(int fd)
{
	char link[64], path[PATH_MAX] = "";
	int from, to = 0;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) < 0)
		abort();
	for (from = 0; from < pending; from++) {
		struct unsynced *it = &unsynced[from];
		int is_safe = *it->renamed_from ? !strncmp(it->path, path, strlen(path)) &&
			it->path[strlen(path)] == '/' : !strcmp(it->path, path);

		if (!is_safe)
			unsynced[to++] = *it;
	}
	pending = to;
}

static void lose(void)
{
	int number;

	for (number = kind == HOLED && pending ? 0 : pending - 1; number >= 0; number--) {
		struct unsynced *it = &unsynced[number];
		int fd;

		if (*it->renamed_from) {
			REAL(rename)(it->path, it->renamed_from);
			continue;
		}
		fd = open(it->path, O_WRONLY);
		if (REAL(pwrite64)(fd, it->old, it->size, it->offset) != it->size)
			abort();
		if (kind == LOST && REAL(ftruncate64)(fd, it->file_size))
			abort();
		close(fd);
	}
}

/* Whether the call is to fail; may not return. */
static int is_faulty(void)
{
	long now = ++count;

	if (now == at && (kind == LOST || kind == HOLED))
		lose();
	if (now == at && (kind == KILL || kind == TORN || kind == LOST || kind == HOLED))
		raise(SIGKILL);
	if ((now == at && kind == EIO_ONCE) || (now >= at && kind == EIO_EVER)) {
		errno = EIO;
		return 1;
	}
	return 0;
}

/* How much to write: all, half, or -1 with errno set. */
static ssize_t allowed(int fd, size_t size, off_t end)
{
	struct stat facts;
	long now = count + 1;

	if (now == at && size > 1 && (kind == SHORT || kind == TORN)) {
		count++;
		return size / 2;
	}
	if (is_faulty())
		return -1;
	if (kind == FULL && now >= at && !fstat(fd, &facts) && end > facts.st_size) {
		errno = ENOSPC;
		return -1;
	}
	return size;
}

static ssize_t done(ssize_t written)
{
	if (count == at && kind == TORN)
		raise(SIGKILL);
	return written;
}

/* Where write() writes. */
static off_t where(int fd)
{
	struct stat facts;

	if ((fcntl(fd, F_GETFL) & O_APPEND) && !fstat(fd, &facts))
		return facts.st_size;
	return lseek(fd, 0, SEEK_CUR);
}

ssize_t write(int fd, const void *data, size_t size)
{
	ssize_t most;

	if (!is_our_file(fd))
		return REAL(write)(fd, data, size);
	most = allowed(fd, size, where(fd) + size);
	if (most > 0)
		remember_write(fd, where(fd), most);
	return most < 0 ? -1 : done(REAL(write)(fd, data, most));
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
	ssize_t most;

	if (!is_our_file(fd))
		return REAL(pwrite64)(fd, data, size, offset);
	most = allowed(fd, size, offset + size);
	if (most > 0)
		remember_write(fd, offset, most);
	return most < 0 ? -1 : done(REAL(pwrite64)(fd, data, most, offset));
}

#define OF_FD(name, parameters, arguments) \
	int name parameters { return is_our_file(fd) && is_faulty() ? -1 : REAL(name) arguments; }
#define OF_PATH(name, parameters, arguments) \
	int name parameters { return is_ours(path) && is_faulty() ? -1 : REAL(name) arguments; }

#define SYNC(name) \
	int name(int fd) \
	{ \
		if (!is_our_file(fd)) \
			return REAL(name)(fd); \
		if (is_faulty()) \
			return -1; \
		forget(fd); \
		return REAL(name)(fd); \
	}

SYNC(fsync)
SYNC(fdatasync)
OF_FD(ftruncate64, (int fd, off64_t size), (fd, size))
OF_FD(futimens, (int fd, const struct timespec times[2]), (fd, times))

int rename(const char *path, const char *to)
{
	struct unsynced *it;

	if (!is_ours(path))
		return REAL(rename)(path, to);
	if (is_faulty())
		return -1;
	if (kind == LOST || kind == HOLED) {
		it = remember();
		snprintf(it->path, PATH_MAX, "%s", to);
		snprintf(it->renamed_from, PATH_MAX, "%s", path);
	}
	return REAL(rename)(path, to);
}

OF_PATH(unlink, (const char *path), (path))
OF_PATH(unlinkat, (int at_fd, const char *path, int flags), (at_fd, path, flags))
