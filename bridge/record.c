/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What was done to the session, as a line that the interpreter writes and reads
 * (crashext/session/applied.py).  It is kept in the environment, since that outlives
 * execv(); with the pid, since a crash that is started from this one inherits it, too.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "record.h"

#define RECORD "QEMUFIX_RECORD"

void keep_record(const char *line)
{
	char *value = NULL;

	if (!*line || asprintf(&value, "%d %s", getpid(), line) < 0) {
		unsetenv(RECORD);
		return;
	}
	setenv(RECORD, value, 1);
	free(value);
}

const char *kept_record(void)
{
	const char *value = getenv(RECORD);
	char *line;

	if (!value || strtol(value, &line, 10) != getpid() || *line != ' ')
		return "";
	return line + 1;
}
