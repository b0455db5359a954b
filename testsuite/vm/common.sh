# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Sourced by every script of testsuite/vm: where things are, and how to fail.

vm_dir=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # used by those who source this
source_dir=$(CDPATH='' cd -- "$vm_dir/../.." && pwd)
cache_dir=${LDMSHARE_CACHE:-/var/cache/ldmshare}

# Exit status of the harness itself; those of a command in the VM are below.
EXIT_HARNESS=125

say() {
	printf 'vm: %s\n' "$*" >&2
}

die() {
	say "$*"
	exit "$EXIT_HARNESS"
}

# print_help SCRIPT: the comment block after SCRIPT's licence line is its help.
print_help() {
	sed -n '/^# SPDX/,/^[^#]/{/^# SPDX/d;/^#/!d;s/^# \{0,1\}//;p}' "$1"
}

# help_or_arguments N "$@": print the help and end if it is asked for; fail if
# there are not N arguments.
help_or_arguments() {
	local expected=$1
	shift
	if [ "${1:-}" = --help ]; then
		print_help "$0"
		exit 0
	fi
	[ $# -eq "$expected" ] || die "wrong number of arguments (see --help)"
}

# need_value "$@": fail unless the option $1 has a value after it.
need_value() {
	[ $# -ge 2 ] || die "$1 needs a value (see --help)"
}

# need COMMAND PACKAGE: fail unless COMMAND is installed.
need() {
	command -v "$1" >/dev/null ||
		die "$1 is missing: install the package $2 (or run ./quickstart)"
}

# list_packages FILE...: package lists without comments and empty lines.
list_packages() {
	sed 's/#.*//' "$@" | tr -s '[:space:]' '\n' | sed '/^$/d'
}

# root_name: names a root by everything it is made from, so that a changed
# package list means another root, and an unchanged one is never built twice.
root_name() {
	local files=("$vm_dir"/build-root "$vm_dir"/packages.* "$vm_dir"/debian.sources)
	printf 'root-%s\n' "$(cat "${files[@]}" | sha256sum | cut -c1-12)"
}

# image_name: the same for the image made of that root.
image_name() {
	printf '%s-%s.img\n' "$(root_name)" \
		"$(sha256sum <"$vm_dir/build-image" | cut -c1-6)"
}

# lock NAME: at most one process builds NAME; the lock goes with the process.
lock() {
	mkdir -p "$cache_dir" || die "cannot create $cache_dir (see LDMSHARE_CACHE)"
	exec 9>"$cache_dir/$1.lock" || die "cannot write to $cache_dir: are you root?"
	flock 9
}
