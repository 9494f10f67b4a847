# SPDX-License-Identifier: GPL-3.0-or-later
# What a release consists of, into dist/: `make dist` (docs/releasing.md).  Included by the
# top-level Makefile.  The same sources give the same bytes.

VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' crashext/__init__.py)
SDIST := dist/qemufix-$(VERSION).tar.gz
DEB_FOLDER = build/deb
BUILD = $(PYTHON) -m build --no-isolation --outdir dist

# What making packages needs besides.
.PHONY: dist-setup
dist-setup:
	@tools/setup.sh dist

.PHONY: dist
dist: dist-setup ## sdist, wheel, Debian and RPM packages, tried out, into dist/
	@rm -rf dist
	@$(MAKE) --no-print-directory sdist wheel deb rpm
	@echo "== pytest"
	@$(PYTHON) -m pytest -q tests/packaging $(PYTEST_ARGS)
	@cd dist && sha256sum * > SHA256SUMS && cat SHA256SUMS

.PHONY: sdist
sdist: $(SDIST) ## the source archive

$(SDIST): setup
	@echo "== sdist"
	@$(BUILD) --sdist > /dev/null

# What goes to everybody knows nobody's crash: without the plugin.
.PHONY: wheel
wheel: setup ## the wheel
	@echo "== wheel"
	@QEMUFIX_BRIDGE=0 $(BUILD) --wheel > /dev/null

# From the source archive, as everybody else would, with Debian's own Python.
.PHONY: deb
deb: dist-setup sdist ## Debian packages of the suite that this runs on
	@echo "== deb"
	@rm -rf $(DEB_FOLDER) && mkdir -p $(DEB_FOLDER)
	@tar -xzf $(SDIST) -C $(DEB_FOLDER)
	@cp $(SDIST) $(DEB_FOLDER)/qemufix_$(VERSION).orig.tar.gz
	@cd $(DEB_FOLDER)/qemufix-$(VERSION) && PATH=/usr/sbin:/usr/bin:/sbin:/bin dpkg-buildpackage -us -uc > ../log 2>&1 || \
		{ tail -n 30 ../log; exit 1; }
	@lintian --fail-on error $(DEB_FOLDER)/*.changes
	@cp $(DEB_FOLDER)/*.deb $(DEB_FOLDER)/*.dsc $(DEB_FOLDER)/*.debian.tar.* $(DEB_FOLDER)/*.orig.tar.* dist
