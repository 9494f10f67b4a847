/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A line on the terminal for a re-initialisation that takes longer than a second. */
#include "defs.h"
#include "meter.h"

enum { PATIENCE_MS = 1000, WIDTH = 40 };

static struct timespec started;
static int enabled, shown;

void start_meter(void)
{
	clock_gettime(CLOCK_MONOTONIC, &started);
	enabled = fp == stdout && isatty(fileno(stdout));
	shown = 0;
}

int until_shown(int limit)
{
	struct timespec now;
	long left;

	if (!enabled || shown)
		return limit;
	clock_gettime(CLOCK_MONOTONIC, &now);
	left = PATIENCE_MS - (now.tv_sec - started.tv_sec) * 1000 -
	       (now.tv_nsec - started.tv_nsec) / 1000000;
	return left < 0 ? 0 : left < limit ? (int)left : limit;
}

void show_meter(int done, int all)
{
	char line[WIDTH + 1];

	if (!enabled || done == shown || until_shown(1) > 0)
		return;
	snprintf(line, sizeof(line), "re-initialising: step %d of %d", done, all);
	fprintf(stdout, "\r%-*s", WIDTH, line);
	fflush(stdout);
	shown = done;
}

void end_meter(void)
{
	if (!shown)
		return;
	fprintf(stdout, "\r%*s\r", WIDTH, "");
	fflush(stdout);
}
