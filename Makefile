# SPDX-License-Identifier: GPL-3.0-or-later
# qemufix: build, test, demonstrate, install.
#
#   make            build the crash plugin, qemufix.so
#   make demo       a guest, its dump, crash gone wrong, and put right
#   make test       everything: style, types, unit tests, real guests in real crash
#   make test-arch  guests of further architectures
#   make bench      measure, and print ratios
#   make install    DESTDIR, PREFIX, EXTENSIONS_DIR
#   make dist       what a release consists of
#   make help       all targets

PREFIX ?= /usr/local
DESTDIR ?=
VENV := .venv
PYTHON := $(VENV)/bin/python
# ~ reaches us where the shell leaves it as it is.
override PREFIX := $(abspath $(patsubst ~%,$(HOME)%,$(PREFIX)))
# crash looks in /usr/lib64/crash/extensions first, where there is one. Who installs elsewhere
# than in the system tells crash by CRASH_EXTENSIONS.
SYSTEM_EXTENSIONS = $(firstword $(wildcard /usr/lib64/crash/extensions) /usr/lib/crash/extensions)
EXTENSIONS_DIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),$(SYSTEM_EXTENSIONS),$(PREFIX)/lib/crash/extensions)
PYTEST_ARGS ?=
# Test files are run by so many processes side by side.
JOBS ?= $(shell nproc)
# What sample-dumps makes, and the tests ask about: core is what people meet, states is
# what a guest may be in the middle of, arm64 is aarch64, captures is what is no dump, qemu is
# dumps of later QEMUs. arch is for `make test-arch`, big for
# `make bench`; built builds a kernel first.
LAB_GROUPS ?= core states arm64 captures qemu
# crash and its pager want a terminal's name, even where there is no terminal.
export TERM ?= dumb

.PHONY: all
all: plugin python-packages

# The plugin runs on Debian's python3; what that lacks comes from .venv.
.PHONY: python-packages
python-packages:
	@$(PLUGIN_PYTHON) -c 'import click, elftools' 2>/dev/null || PYTHON="$(PLUGIN_PYTHON)" tools/setup.sh venv || \
		echo "qemufix: the plugin needs the Python packages click and pyelftools: make setup"

include bridge/build.mk

# Said here, before the compiler says it worse.
NEEDED := $(CRASH_INCLUDE)/defs.h $(PLUGIN_PYTHON)
plugin: | $(NEEDED)
$(NEEDED):
	$(error $@ is missing: `make setup` installs what is needed)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name what; \
		do printf '  make %-14s %s\n' "$$name" "$$what"; done

.PHONY: setup
setup: ## install missing Debian packages (sudo unless root), make .venv
	@tools/setup.sh

.PHONY: check
check: setup ## ruff and mypy
	@echo "== ruff"
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m ruff format --quiet --check .
	@echo "== mypy --strict"
	@$(PYTHON) -m mypy --strict

# A make of its own: build.mk asks crash and python3, which setup may just have installed.
.PHONY: docs
docs: setup ## the pages of docs/ as HTML, into build/docs; a dead link is an error
	@$(PYTHON) -m sphinx -q -W --keep-going -b html -d build/doctrees docs build/docs

.PHONY: docs-links
docs-links: setup ## ask the network for each address that they name
	@$(PYTHON) -m sphinx -q -b linkcheck -d build/doctrees docs build/docs-links

.PHONY: generated
generated: setup ## the manual pages and completions, from the commands as they are now
	@$(PYTHON) -m tools.generated

.PHONY: build
build: setup
	@echo "== plugin"
	@$(MAKE) --no-print-directory plugin

.PHONY: sample-dumps
sample-dumps: setup ## boot the lab's guests and dump them into lab/dumps
	@echo "== lab dumps"
	@$(PYTHON) -m lab dumps $(addprefix --group ,$(LAB_GROUPS))

# crash of another architecture, which QEMU's user mode runs (docs/session.md).
ROOT_ARM64 := lab/cache/root-arm64

.PHONY: root-arm64
root-arm64: setup ## unpack Debian's arm64 crash into lab/cache
	@echo "== arm64 crash"
	@$(PYTHON) -m lab root arm64

.PHONY: plugin-arm64
plugin-arm64: ## build the plugin for that crash, into build/emulated-arm64
	@$(MAKE) --no-print-directory plugin CROSS=aarch64-linux-gnu- \
		PLUGIN_FOLDER=build/emulated-arm64 CRASH=$(ROOT_ARM64)/emulated/crash \
		CRASH_INCLUDE=$(ROOT_ARM64)/usr/include/crash \
		PYTHON_PROGRAM=$(CURDIR)/$(ROOT_ARM64)/emulated/python3 \
		CRASH_PROGRAM=$(CURDIR)/$(ROOT_ARM64)/emulated/crash

.PHONY: unit
unit: setup ## unit tests alone, on the committed samples
	@$(PYTHON) -m pytest -q -n $(JOBS) --dist loadfile -m "not lab and not crash" $(PYTEST_ARGS)

.PHONY: test
test: check build sample-dumps root-arm64 ## everything
	@echo "== pytest"
	@$(PYTHON) -m pytest -n $(JOBS) --dist loadfile $(PYTEST_ARGS)

.PHONY: test-arch
test-arch: build root-arm64 ## guests of further architectures, and more of aarch64
	@tools/setup.sh arch
	@echo "== lab dumps"
	@$(PYTHON) -m lab dumps --group arch
	@echo "== pytest"
	@$(PYTHON) -m pytest -m arch $(PYTEST_ARGS)

.PHONY: smoke
smoke: unit demo ## unit tests, one guest, one --apply: what CI runs in the other stable suite

.PHONY: demo
demo: build ## a dump opened wrongly in crash, and put right
	@tools/demo.sh

.PHONY: bench
bench: build ## measure, and print ratios (boots guests of 16 and 64 GiB, mostly untouched)
	@echo "== lab dumps"
	@$(PYTHON) -m lab dumps ovmf-kaslr ram-16g ram-64g arm64-newer arm64-16g
	@echo "== bench"
	@$(PYTHON) -m bench

.PHONY: fleet
fleet: setup ## 1,000 dumps in an object store, a Dask cluster, one of whose workers is killed
	@$(PYTHON) -m lab.fleet

.PHONY: fuzz
fuzz: setup ## feed damaged dumps to the readers, two minutes for each container (SECONDS_EACH=3600: for hours)
	@$(PYTHON) -m fuzz --seconds $(or $(SECONDS_EACH),120) --seed $$(date +%s)

.PHONY: fuzz-truth
fuzz-truth: setup ## damaged memory of samples and lab dumps: no false answer may be believed
	@$(PYTHON) -m fuzz.truth --count $(or $(COUNT),100000) --seed $$(date +%s)
	@$(PYTHON) -m fuzz.truth --folder dumps --count $(or $(COUNT_DUMPS),5000) --seed $$(date +%s)

# lzo pages need a library that pip builds: with liblzo2-dev only.
WHAT = .[fast,view$(if $(wildcard /usr/include/lzo/lzo1x.h),$(comma)lzo)]
comma := ,

install uninstall: export PREFIX := $(PREFIX)
install uninstall: export DESTDIR := $(DESTDIR)
install uninstall: export EXTENSIONS_DIR := $(EXTENSIONS_DIR)
install: export PLUGIN_PYTHON := $(PLUGIN_PYTHON)
install: export WHAT := $(WHAT)

.PHONY: install
install: ## install the command, the plugin, man pages and completion (PREFIX=~/x: without root)
	@tools/install.sh install

.PHONY: uninstall
uninstall: ## remove what install put there
	@tools/install.sh uninstall

include packaging/dist.mk
include packaging/rpm/rpm.mk

.PHONY: clean
clean: plugin-clean ## remove what was built; lab/dumps and .venv stay
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find crashext lab tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
