/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef QEMUFIX_RECORD_H
#define QEMUFIX_RECORD_H

/* Keeps a line for this process, or for the program that it executes; an empty one for none. */
void keep_record(const char *line);
/* The line of this process, or an empty one. */
const char *kept_record(void);

#endif
