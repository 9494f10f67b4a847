/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef QEMUFIX_METER_H
#define QEMUFIX_METER_H

/* Before: nothing is shown for a second, nor where the output is no terminal. */
void start_meter(void);
/* Milliseconds until there is something to show, at most `limit`. */
int until_shown(int limit);
/* Shows that step `done` of `all` is being done, where it is time to. */
void show_meter(int done, int all);
/* Takes the line away. */
void end_meter(void);

#endif
