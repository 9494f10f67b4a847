/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef QEMUFIX_SERVE_H
#define QEMUFIX_SERVE_H

#include <stddef.h>
#include "guard.h"

/* What the interpreter wants done to the session; kind is 0 for nothing. */
struct wish {
	int kind;		/* APPLY, RESTART or GO_BACK of protocol.h */
	struct target target;
	uint32_t limit_ms;
	const char *args, *record, *script;
	size_t args_size, script_size;
	void *memory;		/* what these lie in; to be freed */
};

/* Answers the interpreter until it closes the line, or says what makes no sense. */
void serve(int line, struct wish *wish);

#endif
