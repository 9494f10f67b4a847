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

static void answer_read(int line, const struct read_request *r, int memtype)
{
	static char buffer[MAX_READ];

	if (r->size <= sizeof(buffer) && read_memory(r->address, memtype, buffer, r->size) == 0)
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

/* The request goes on to be wanted. */
static void note(struct wish *wish, int kind, char *data)
{
	free(wish->memory);
	wish->kind = kind;
	wish->memory = data;
}

/* serve() puts a NUL behind each request, so the record has one. */
static void note_apply(struct wish *wish, char *data)
{
	const struct apply_request *r = (const struct apply_request *)data;

	wish->target.phys_base = r->phys_base;
	wish->target.kaslr_offset = r->kaslr_offset;
	wish->limit_ms = r->limit_ms;
	wish->record = data + sizeof(*r);
	note(wish, APPLY, data);
}

/* Whether a text of that size ends with its NUL. */
static int is_ended(const char *text, uint32_t size, size_t room)
{
	return size && size <= room && text[size - 1] == '\0';
}

/* Keeps the request; -1 when it makes no sense. */
static int note_restart(struct wish *wish, char *data, size_t size)
{
	struct restart_request r;
	char *text = data + sizeof(r);

	memcpy(&r, data, sizeof(r));
	size -= sizeof(r);
	if (!is_ended(text, r.args_size, size) ||
	    !is_ended(text + r.args_size, r.record_size, size - r.args_size))
		return -1;
	wish->args = text;
	wish->args_size = r.args_size;
	wish->record = text + r.args_size;
	wish->script = wish->record + r.record_size;
	wish->script_size = size - r.args_size - r.record_size;
	note(wish, RESTART, data);
	return 0;
}

/* Notes what is to be done when the interpreter has ended; -1 when it makes no sense. */
static int take_wish(const struct head *head, char *data, struct wish *wish)
{
	if (head->kind == APPLY && head->size >= sizeof(struct apply_request)) {
		note_apply(wish, data);
	} else if (head->kind == RESTART && head->size > sizeof(struct restart_request)) {
		return note_restart(wish, data, head->size);
	} else if (head->kind == GO_BACK) {
		wish->record = data;
		note(wish, GO_BACK, data);
	} else {
		return -1;
	}
	return 0;
}

/* Deals with one request; -1 when it makes no sense. */
static int respond(int line, const struct head *head, char *data, struct wish *wish)
{
	if (head->kind == FACTS) {
		answer_facts(line);
	} else if (head->kind == READ && head->size == sizeof(struct read_request)) {
		answer_read(line, (struct read_request *)data, PHYSADDR);
	} else if (head->kind == READ_VIRTUAL && head->size == sizeof(struct read_request)) {
		answer_read(line, (struct read_request *)data, KVADDR);
	} else if (head->kind == SCRIPT) {
		answer_script(line);
	} else if (head->kind == MESSAGE) {
		answer(line, say(data) ? REFUSED : DONE, NULL, 0);
	} else if (take_wish(head, data, wish) == 0) {
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
