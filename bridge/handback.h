/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Going back to the session that a copy was made of: that process waits, untouched
 * since the copy was made.  What the copy has read of the input since then, it has
 * to be told.
 */
#ifndef QEMUFIX_HANDBACK_H
#define QEMUFIX_HANDBACK_H

#include <sys/types.h>

/* Words on the line between the two. */
enum { ASK_BACK = 1, READY, HANDED_BACK };

/* A step of it, which says what is wrong, or NULL.  Not const: tests replace one. */
struct back_step {
	const char *name;
	const char *(*run)(void);
};
extern struct back_step qfx_back_steps[] __attribute__((visibility("default")));

/* Before the fork: make what both will share; -1 where that can't be done. */
int share_handback(void);
void unshare_handback(void);

/* In the copy: be one that can go back, over this line. */
void begin_as_copy(int line);
int origin_waits(void);
/* Returns, -1, only when it can't be done; says why. */
int run_go_back(const char *record);

/* In the process that waits: whether it can take over, with what the copy has said. */
int ready_to_go_on(void);
/* Be the session again. */
void go_on(void);

#endif
