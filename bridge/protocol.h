/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a command's interpreter and the session say to each other on a socket;
 * crashext/session/line.py is the other side.
 *
 * The interpreter asks and the session answers, one at a time.  A request and an
 * answer begin with a head, and `size` bytes follow it.  Numbers are in the
 * machine's own byte order, as both ends are on one machine.
 */
#ifndef QEMUFIX_PROTOCOL_H
#define QEMUFIX_PROTOCOL_H

#include <stdint.h>

/* Raised with every change below; the facts tell it. */
#define QFX_PROTOCOL 3

enum {
	LINE_FD = 3,			/* the interpreter's end */
	MAX_REQUEST = 1 << 20,		/* bytes that follow the head of a request */
	MAX_READ = 1 << 16,
	MAX_SCRIPT = 1 << 19,
};

enum request_kind {
	FACTS = 1,	/* answered by strings "name=value", each with its NUL */
	READ,		/* struct read_request; answered by the bytes */
	SCRIPT,		/* answered by what an input file (-i, <) still holds */
	MESSAGE,	/* a line, to be said in crash's error style */
	/* Noted, and done when the interpreter has ended with status 0. */
	APPLY,		/* struct apply_request, the record */
	RESTART,	/* struct restart_request, the arguments, the record, the script */
	GO_BACK,	/* the record */
	/* Answered at once. */
	READ_VIRTUAL,	/* struct read_request of an address of the guest's kernel */
};

enum answer_kind { DONE, REFUSED };

struct head {
	uint32_t kind;
	uint32_t size;
};

struct read_request {
	uint64_t address;
	uint32_t size;	/* at most MAX_READ */
} __attribute__((packed));

struct apply_request {
	int64_t phys_base;
	int64_t kaslr_offset;
	uint32_t limit_ms;	/* until the re-initialisation counts as hung */
} __attribute__((packed));

struct restart_request {
	uint32_t args_size;	/* the arguments, each with its NUL */
	uint32_t record_size;	/* with its NUL */
} __attribute__((packed));

#endif
