/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * crash's services.  Each call into crash may jump to the main loop; every
 * function here catches that itself (guard.c).  0 means done and -1 failed
 * unless a function says otherwise.
 */
#ifndef QEMUFIX_HOST_H
#define QEMUFIX_HOST_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What the session is: strings "name=value", each with its NUL. */
void print_facts(FILE *to);
/* memtype: PHYSADDR or KVADDR of crash's readmem(). */
int read_memory(uint64_t address, int memtype, void *buffer, size_t size);
/* One line in crash's error style, after the name of the command. */
int say(const char *line);
/* What an input file (-i, <) still holds after the running command; bytes copied. */
long pending_script(char *buffer, size_t size);

#endif
