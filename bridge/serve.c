/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The session's side of the protocol. */
#define _GNU_SOURCE
#include "defs.h"
#include <sys/socket.h>
#include "host.h"
#include "protocol.h"
#include "serve.h"

static int receive(int line, void *to, size_t size)
{
	char *at = to;

	while (size) {
		ssize_t got = read(line, at, size);

		if (got == 0 || (got < 0 && errno != EINTR))
			return -1;
		if (got > 0) {
			at += got;
			size -= got;
		}
	}
	return 0;
}

/* When nobody listens any more, the next receive() finds the line closed. */
static void transmit(int line, const void *data, size_t size)
{
	const char *at = data;

	while (size) {
		ssize_t done = send(line, at, size, MSG_NOSIGNAL);

		if (done < 0 && errno != EINTR)
			return;
		if (done > 0) {
			at += done;
			size -= done;
		}
	}
}

static void answer(int line, enum answer_kind kind, const void *data, size_t size)
{
	struct head head = { kind, size };

	transmit(line, &head, sizeof(head));
	transmit(line, data, size);
}

static void answer_facts(int line)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	if (to) {
		print_facts(to);
		fclose(to);
	}
	answer(line, to ? DONE : REFUSED, text, size);
	free(text);
}

static void answer_read(int line, const struct read_request *r)
{
	static char buffer[MAX_READ];

	if (r->size <= sizeof(buffer) && read_phys(r->paddr, buffer, r->size) == 0)
		answer(line, DONE, buffer, r->size);
	else
		answer(line, REFUSED, NULL, 0);
}

static void answer_script(int line)
{
	char *text = malloc(MAX_SCRIPT);
	long size = text ? pending_script(text, MAX_SCRIPT) : -1;

	if (size >= 0 && size < MAX_SCRIPT)
		answer(line, DONE, text, size);
	else
		answer(line, REFUSED, NULL, 0);
	free(text);
}

static void note_apply(struct wish *wish, const struct apply_request *r)
{
	wish->kind = APPLY;
	wish->target.phys_base = r->phys_base;
	wish->target.kaslr_offset = r->kaslr_offset;
	wish->limit_ms = r->limit_ms;
}

/* Keeps the request; -1 when it makes no sense. */
static int note_restart(struct wish *wish, char *data, size_t size)
{
	uint32_t args_size;

	memcpy(&args_size, data, sizeof(args_size));
	if (!args_size || args_size > size - sizeof(args_size))
		return -1;
	if (data[sizeof(args_size) + args_size - 1] != '\0')
		return -1;
	wish->args = data + sizeof(args_size);
	wish->kind = RESTART;
	wish->args_size = args_size;
	wish->script = wish->args + args_size;
	wish->script_size = size - sizeof(args_size) - args_size;
	free(wish->memory);
	wish->memory = data;
	return 0;
}

/* Deals with one request; -1 when it makes no sense. */
static int respond(int line, const struct head *head, char *data, struct wish *wish)
{
	if (head->kind == FACTS) {
		answer_facts(line);
	} else if (head->kind == READ && head->size == sizeof(struct read_request)) {
		answer_read(line, (struct read_request *)data);
	} else if (head->kind == SCRIPT) {
		answer_script(line);
	} else if (head->kind == MESSAGE) {
		answer(line, say(data) ? REFUSED : DONE, NULL, 0);
	} else if (head->kind == APPLY && head->size == sizeof(struct apply_request)) {
		note_apply(wish, (struct apply_request *)data);
		answer(line, DONE, NULL, 0);
	} else if (head->kind == RESTART && head->size > sizeof(uint32_t) &&
		   note_restart(wish, data, head->size) == 0) {
		answer(line, DONE, NULL, 0);
	} else {
		return -1;
	}
	return 0;
}

void serve(int line, struct wish *wish)
{
	struct head head;
	int going_on = TRUE;

	while (going_on && receive(line, &head, sizeof(head)) == 0 && head.size <= MAX_REQUEST) {
		char *data = calloc(1, (size_t)head.size + 1);

		going_on = data && receive(line, data, head.size) == 0 &&
			   respond(line, &head, data, wish) == 0;
		if (wish->memory != data)
			free(data);
	}
}
