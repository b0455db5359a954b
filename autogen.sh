#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Make ./configure and the Makefile.in files, which are not kept in git.

set -e
cd "$(dirname "$0")"

packages=
command -v autoreconf >/dev/null || packages="$packages autoconf"
command -v automake >/dev/null || packages="$packages automake"
test -n "$(find /usr/share/aclocal /usr/local/share/aclocal -name pkg.m4 \
	2>/dev/null)" || packages="$packages pkg-config"
if [ -n "$packages" ]; then
	echo "autogen.sh: missing; on Debian: apt-get install$packages" >&2
	exit 1
fi

exec autoreconf --force --install
