# SPDX-License-Identifier: GPL-3.0-or-later
# RPM packages, from the source archive, into dist/. --nodeps since the spec asks for packages by
# the names that they have where RPM is at home.

RPM_FOLDER = $(CURDIR)/build/rpm
RELEASED := $(shell sed -n 's/^## [0-9.]* (\(.*\))$$/\1/p' CHANGELOG.md | head -n 1)
# No trace of when and on what machine; the folder stays in the source package.
RPM_OPTIONS = --define "use_source_date_epoch_as_buildtime Y" \
	--define "clamp_mtime_to_source_date_epoch Y" --define "_buildhost reproducible"

.PHONY: rpm
rpm: dist-setup sdist ## RPM packages, as far as this machine's rpmbuild goes
	@echo "== rpm"
	@rm -rf $(RPM_FOLDER) && mkdir -p $(RPM_FOLDER)/SOURCES
	@cp $(SDIST) $(RPM_FOLDER)/SOURCES/
	@SOURCE_DATE_EPOCH=$$(date -u -d "$(RELEASED)" +%s) rpmbuild -ba --nodeps $(RPM_OPTIONS) --define "_topdir $(RPM_FOLDER)" packaging/rpm/qemufix.spec \
		> $(RPM_FOLDER)/log 2>&1 || { tail -n 30 $(RPM_FOLDER)/log; exit 1; }
	@cp $(RPM_FOLDER)/SRPMS/*.rpm $(RPM_FOLDER)/RPMS/*/*.rpm dist/
