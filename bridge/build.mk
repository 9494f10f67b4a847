# SPDX-License-Identifier: GPL-3.0-or-later
# Rules for the crash plugin, included by the top-level Makefile.
#
#   make plugin CRASH_INCLUDE=/path/to/crash-source CRASH_VERSION=9.0.1
#
# builds for another crash than the installed one: CRASH_INCLUDE holds its
# defs.h, CRASH_VERSION is what `crash --version` says.
#
#   make plugin CROSS=aarch64-linux-gnu-
#
# builds for another architecture with the compiler aarch64-linux-gnu-gcc, into
# build/aarch64-linux-gnu or the folder PLUGIN_FOLDER.  The crash there is taken to be of
# the version installed here; PYTHON_PROGRAM is its python3, CRASH_PROGRAM what a session is
# started again as, if that isn't the program that it runs.

CRASH ?= crash
CRASH_INCLUDE ?= /usr/include/crash
CRASH_VERSION ?= $(shell TERM=dumb $(CRASH) --version 2>/dev/null | sed -n 's/^crash //p' | head -n 1)
PLUGIN_PYTHON ?= /usr/bin/python3
EXTENSIONS_DIR ?= /usr/lib/crash/extensions

ifdef CROSS
CC := $(CROSS)gcc
PLUGIN_FOLDER ?= build/$(patsubst %-,%,$(notdir $(CROSS)))
PYTHON_PROGRAM ?= $(PLUGIN_PYTHON)
endif
PLUGIN_FOLDER ?= .
CRASH_PROGRAM ?= /proc/self/exe
# Its own program where this is a virtual environment's.
PYTHON_PROGRAM ?= $(shell $(PLUGIN_PYTHON) -c "import sys; print(sys._base_executable)")

CRASH_MACHINE ?= $(shell $(CC) -dumpmachine | sed 's/-.*//; s/x86_64/X86_64/; s/aarch64/ARM64/')
# 8.0.2 is 80002, a distributor's 8.0.5-2.el9 80005; 0 where it is no release, as a snapshot's 8.0.3++.
CRASH_RELEASE := $(shell echo '$(CRASH_VERSION)' | awk -F. \
	'/^[0-9]+\.[0-9]+\.[0-9]+(-|$$)/ { n = $$1 * 10000 + $$2 * 100 + $$3 } END { print n + 0 }')
# defs.h wants to be told the gdb inside crash: the newest that it speaks of.
CRASH_GDB ?= $(shell grep -o 'GDB_[0-9][0-9_]*' $(CRASH_INCLUDE)/defs.h | sort -Vu | tail -n 1)

# The folder that it is built in is nobody's business: the same sources give the same bytes.
BRIDGE_CFLAGS = -std=gnu11 -O2 -g -fPIC -fvisibility=hidden -Wall -Wextra -Werror=implicit \
	-ffile-prefix-map=$(CURDIR)=. $(CPPFLAGS) $(CFLAGS)
# crash's own header: its unused and signedness warnings are not ours to mend.
CRASH_CFLAGS = $(BRIDGE_CFLAGS) -Wno-unused-parameter -Wno-sign-compare \
	-isystem $(CRASH_INCLUDE) -D$(CRASH_MACHINE) -D$(CRASH_GDB) -DCRASH_VERSION='"$(or $(CRASH_VERSION),$(error set CRASH_VERSION: there is no crash to ask))"' \
	-DCRASH_RELEASE=$(CRASH_RELEASE)
SHIM ?= $(PLUGIN_FOLDER)/crashext/qemufix.so
HOST ?= $(PLUGIN_FOLDER)/crashext/_host.so
HOST_SOURCES = $(addprefix bridge/, command.c interpreter.c serve.c host.c guard.c fork.c \
	output.c transaction.c meter.c standin.c handback.c record.c reinit.c reloc.c detach.c offsets.c \
	restart.c)
PLUGIN_PARTS = $(SHIM) $(HOST) $(PLUGIN_FOLDER)/qemufix.so

.PHONY: plugin plugin-install plugin-clean
plugin: $(PLUGIN_PARTS)

$(PLUGIN_FOLDER)/qemufix.so: $(SHIM)
	ln -sf crashext/qemufix.so $@

$(SHIM): bridge/qemufix.c bridge/tables.c bridge/tables.h bridge/help.h bridge/build.mk
	@mkdir -p $(@D)
	$(CC) $(CRASH_CFLAGS) -shared -o $@ bridge/qemufix.c bridge/tables.c $(LDFLAGS)

$(HOST): $(HOST_SOURCES) $(wildcard bridge/*.h) bridge/build.mk
	@mkdir -p $(@D)
	$(CC) $(CRASH_CFLAGS) -DPYTHON_PROGRAM='"$(PYTHON_PROGRAM)"' -DCRASH_PROGRAM='"$(CRASH_PROGRAM)"' -shared -o $@ $(HOST_SOURCES) $(LDFLAGS)

ifneq ($(PLUGIN_FOLDER),.)
# The package goes along: it finds itself by the plugin's folder.
plugin: $(patsubst %,$(PLUGIN_FOLDER)/%,$(shell find crashext -name '*.py'))

$(PLUGIN_FOLDER)/crashext/%.py: crashext/%.py
	@install -D -m 644 $< $@
endif

plugin-install: plugin
	install -d $(DESTDIR)$(EXTENSIONS_DIR)
	ln -sf $(abspath crashext/qemufix.so) $(DESTDIR)$(EXTENSIONS_DIR)/qemufix.so

plugin-clean:
	rm -f $(PLUGIN_PARTS)
