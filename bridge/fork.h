/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef QEMUFIX_FORK_H
#define QEMUFIX_FORK_H

#include <sys/types.h>

/*
 * Forks with nothing buffered.  The copy dies with the session, and ignores
 * Ctrl-C; the session only notes it until end_wait() or stand_in_for().
 */
pid_t fork_copy(void);
/* Kills the copy when Ctrl-C is typed, or was. */
void end_on_interrupt(pid_t child);
/* From here on it is too late for that; -1 when Ctrl-C was typed before. */
int end_no_more(void);
void end_wait(void);
int was_interrupted(void);

/*
 * Between two waits Ctrl-C is held: crash's own handler would jump to the prompt,
 * and gdb_interface() ignores it.
 */
void hold_interrupts(void);
void let_interrupts(void);
int interrupt_waits(void);
void drop_interrupt(void);

/* Waits for the copy to end; its wait status. */
int wait_for(pid_t child);

/* In the copy: be the session. */
void become_session(void);

#endif
