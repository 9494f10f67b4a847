#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What `make install` and `make uninstall` do; make says where by DESTDIR, PREFIX,
# EXTENSIONS_DIR and PLUGIN_PYTHON, and what by WHAT.
set -eu
umask 022
cd "$(dirname "$0")/.."

ROOT=${DESTDIR%/}
LIBDIR=$PREFIX/lib/qemufix
MANDIR=$PREFIX/share/man/man1
BASHDIR=$PREFIX/share/bash-completion/completions
ZSHDIR=$PREFIX/share/zsh/site-functions
FISHDIR=$PREFIX/share/fish/vendor_completions.d
# Folders that install made, a line each: they go with uninstall, if nobody else used them.
MADE=$ROOT$LIBDIR/made-folders

# A folder below ROOT, with those above it; says which weren't there, innermost last.
make_folder() {
	[ -d "$ROOT$1" ] && return
	make_folder "$(dirname "$1")"
	mkdir "$ROOT$1"
	echo "$1"
}

install_all() {
	mkdir -p "$ROOT/"
	made=$(for folder in "$LIBDIR" "$PREFIX/bin" "$MANDIR" "$BASHDIR" "$ZSHDIR" "$FISHDIR"; do
		make_folder "$folder"
	done)
	test ! -f "$MADE" || made=$(cat "$MADE" && echo "$made")
	mkdir -p build
	"$PLUGIN_PYTHON" -m venv build/pip
	rm -rf "$ROOT$LIBDIR"
	build/pip/bin/python -m pip install --quiet --disable-pip-version-check \
		--target "$ROOT$LIBDIR" "$WHAT"
	# pip puts a command, man pages and completion there too, where nobody looks for them.
	rm -rf "$ROOT$LIBDIR/bin" "$ROOT$LIBDIR/share"
	sed "s|@LIBDIR@|$LIBDIR|; s|@PYTHON@|$PLUGIN_PYTHON|" tools/qemufix.in > build/qemufix
	install -m 755 build/qemufix "$ROOT$PREFIX/bin/qemufix"
	install -m 644 docs/man/*.1 "$ROOT$MANDIR/"
	install -m 644 completion/bash/qemufix "$ROOT$BASHDIR/qemufix"
	install -m 644 completion/zsh/_qemufix "$ROOT$ZSHDIR/_qemufix"
	install -m 644 completion/fish/qemufix.fish "$ROOT$FISHDIR/qemufix.fish"
	if [ -f "$ROOT$LIBDIR/crashext/qemufix.so" ]; then
		made=$(echo "$made" && make_folder "$EXTENSIONS_DIR")
		ln -sfn "$LIBDIR/crashext/qemufix.so" "$ROOT$EXTENSIONS_DIR/qemufix.so"
	fi
	echo "$made" > "$MADE"
	say_where
}

# crash looks for extensions in a few folders of its own, and where CRASH_EXTENSIONS says.
say_where() {
	echo "qemufix: the command is $PREFIX/bin/qemufix"
	if [ ! -f "$ROOT$LIBDIR/crashext/qemufix.so" ]; then
		echo "qemufix: without the crash plugin: $(cat "$ROOT$LIBDIR/crashext/plugin-left-out")"
		return
	fi
	case $EXTENSIONS_DIR in
	/usr/lib/crash/extensions | /usr/lib64/crash/extensions)
		echo "qemufix: in crash: extend qemufix.so" ;;
	*)
		echo "qemufix: in crash: extend $EXTENSIONS_DIR/qemufix.so"
		echo "qemufix: or, after export CRASH_EXTENSIONS=$EXTENSIONS_DIR: extend qemufix.so" ;;
	esac
}

uninstall_all() {
	made=$(cat "$MADE" 2>/dev/null || true)
	rm -f "$ROOT$PREFIX/bin/qemufix" "$ROOT$EXTENSIONS_DIR/qemufix.so" \
		"$ROOT$MANDIR/qemufix.1" "$ROOT$MANDIR"/qemufix-*.1 \
		"$ROOT$BASHDIR/qemufix" "$ROOT$ZSHDIR/_qemufix" "$ROOT$FISHDIR/qemufix.fish"
	rm -rf "$ROOT$LIBDIR"
	# Innermost first.
	echo "$made" | sort -ru | while read -r folder; do
		[ -z "$folder" ] || rmdir "$ROOT$folder" 2>/dev/null || true
	done
}

"$1_all"
