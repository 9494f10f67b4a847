/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef QEMUFIX_TABLES_H
#define QEMUFIX_TABLES_H

/* A table of the running crash that is not as large as in our defs.h; NULL if none is. */
const char *strange_table(void);

#endif
