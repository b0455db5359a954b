# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Sourced by the scripts that check the source: where it is, and how to report.

# shellcheck disable=SC2034 # used by those who source this
top=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
status=0

# check WHAT COMMAND...: PASS if COMMAND succeeds and prints nothing. What it
# prints is its complaint.
check() {
	local what=$1 said
	shift
	if said=$("$@" 2>&1) && [ -z "$said" ]; then
		echo "PASS: $what"
	else
		printf '%s\n' "$said"
		echo "FAIL: $what"
		status=1
	fi
}

# copy_module: into the current directory, which is thrown away afterwards.
copy_module() {
	cp -r "$top"/kmod/{Kbuild,uapi,*.[ch]} .
}

# build_module ARGUMENT...: with kbuild, for the distribution's kernel, what is
# in the current directory. That the kernel was built by a compiler of another
# day is of no interest.
build_module() {
	make -s -C /lib/modules/6.12.*/build M="$PWD" "$@" 2>&1 | sed '
		/^warning: the compiler differs/d
		/^  The kernel was built by:/d
		/^  You are using:/d'
	return "${PIPESTATUS[0]}"
}
