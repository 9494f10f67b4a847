/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The releases of crash whose own start the stages of reinit.c are; crash's
 * defs.h is included first.  What is in no list here starts again instead: a
 * start that was not read can't be repeated.
 *
 * Held against the sources of 8.0.0 to 8.0.6 and 9.0.0 to 9.0.2: main_loop() is the
 * same to the letter in all of them, as are symtab_init(), relocate() and
 * symval_hash_init(), gdb_interface(), error() and clean_exit(); the rest of the
 * way was read for what it takes from the state before it.  Tried: 8.0.2, 8.0.6, 9.0.2.
 */
#ifndef QEMUFIX_RELEASES_H
#define QEMUFIX_RELEASES_H

#if defined(X86_64) && ((CRASH_RELEASE >= 80000 && CRASH_RELEASE <= 80006) || \
			(CRASH_RELEASE >= 90000 && CRASH_RELEASE <= 90002))
#define STAGES_FIT
#endif

/*
 * gdb 10 as 8.0.5 and 8.0.6 patch it takes every symbol for one that may have been
 * copied (maybe_copied in symtab.h), and its objfile_rebase() ends the process at
 * the first label of a source file whose symbols were read already.
 */
#if CRASH_RELEASE >= 80005 && CRASH_RELEASE < 90000
#define GDB_CANT_REBASE 1
#else
#define GDB_CANT_REBASE 0
#endif

/* Since 8.0.4: the format of the unwinder's tables in Linux 6.4. */
#ifndef ORC_6_4
#define ORC_6_4 0
#endif

#endif
