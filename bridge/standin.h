/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef QEMUFIX_STANDIN_H
#define QEMUFIX_STANDIN_H

#include <sys/types.h>

/*
 * In the session: hand over to the copy at the other end of the line.  Returns when
 * the copy has handed back; this process ends as the copy ends.
 */
void stand_in_for(pid_t child, int line);

#endif
