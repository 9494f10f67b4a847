/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef QEMUFIX_INTERPRETER_H
#define QEMUFIX_INTERPRETER_H

#include <sys/types.h>

/*
 * Starts Python for the command argv[0..argc-1], with its output where crash's
 * goes and the line for its questions; folder is that of the crashext package.
 * Ctrl-C ends it.  -1 when there can be no other process.
 */
pid_t start_interpreter(const char *folder, int argc, char **argv, int line);

/* Waits for its end; the exit status, or -1 when a signal ended it, and says so. */
int end_interpreter(pid_t child);

#endif
