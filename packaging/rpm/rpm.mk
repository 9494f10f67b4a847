# SPDX-License-Identifier: GPL-3.0-or-later
# RPM packages, from the source archive, into dist/. --nodeps since the spec asks for packages by
# the names that they have where RPM is at home.

RPM_FOLDER = $(CURDIR)/build/rpm

.PHONY: rpm
rpm: dist-setup sdist ## RPM packages, as far as this machine's rpmbuild goes
	@echo "== rpm"
	@rm -rf $(RPM_FOLDER) && mkdir -p $(RPM_FOLDER)/SOURCES
	@cp $(SDIST) $(RPM_FOLDER)/SOURCES/
	@rpmbuild -ba --nodeps --define "_topdir $(RPM_FOLDER)" packaging/rpm/qemufix.spec \
		> $(RPM_FOLDER)/log 2>&1 || { tail -n 30 $(RPM_FOLDER)/log; exit 1; }
	@cp $(RPM_FOLDER)/SRPMS/*.rpm $(RPM_FOLDER)/RPMS/*/*.rpm dist/
