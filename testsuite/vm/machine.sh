# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Sourced by run and shell: what a virtual machine is made of.

# Process 1 is a shell that unpacks the payload disk and becomes guest-init:
# thus the image knows nothing of the harness. No quotes and no "=" in it.
guest_boot='mount -t devtmpfs dev /dev; mount -t tmpfs run /run;'
guest_boot+=' tar -x --keep-directory-symlink --no-overwrite-dir'
guest_boot+=' -f /dev/nvme0n2 -C / && exec /run/vm/guest-init'

# make_payload FILE MODE TREE... -- COMMAND...: the disk with what is new in
# this machine: the trees to be laid over /, guest-init and its command.
make_payload() {
	local file=$1 mode=$2 trees=() tree harness
	shift 2
	while [ "$1" != -- ]; do
		trees+=("$1")
		shift
	done
	shift

	harness=$(dirname "$file")/harness
	mkdir -p "$harness/run/vm"
	cp "$vm_dir/guest-init" "$harness/run/vm/"
	echo "$mode" >"$harness/run/vm/mode"
	echo "${TERM:-dumb} $( (stty size </dev/tty) 2>/dev/null || echo 24 80)" \
		>"$harness/run/vm/terminal"
	[ $# -eq 0 ] || printf '%q ' "$@" >"$harness/run/vm/command"
	[ $# -gt 0 ] || : >"$harness/run/vm/command"

	tar -c --owner=0 --group=0 -f "$file" -C "$harness" run
	for tree in "${trees[@]}"; do
		tar -r --owner=0 --group=0 -f "$file" -C "$tree" .
	done
	truncate -s %1M "$file"
}

# set_machine_args ACCEL SMP MEMORY IMAGE PAYLOAD KERNEL APPEND: sets the array
# machine_args, QEMU's arguments. One NVMe controller with two name spaces:
# controllers are found in any order, name spaces are numbered. Ports without
# ioeventfd: what the guest has written is written when its write() returns.
set_machine_args() {
	local accel=$1 smp=$2 memory=$3 image=$4 payload=$5 kernel=$6 append=$7
	local cpu threads=multi

	machine_args=(-M q35 -m "$memory" -nodefaults -no-user-config
		-display none -no-reboot)
	case $accel in
	kvm) machine_args+=(-accel kvm -cpu host -smp "$smp") ;;
	# QEMU 7.2 corrupts flags after cmpxchg16b.
	tcg) machine_args+=(-accel tcg,thread=multi -cpu 'max,-cx16' -smp "$smp") ;;
	icount) machine_args+=(-accel tcg,thread=single -cpu 'max,-cx16' -smp 1
		-icount shift=0,sleep=off) ;;
	*) die "no accelerator $accel" ;;
	esac
	machine_args+=(
		-drive "file=$image,format=raw,if=none,id=root,snapshot=on,cache=unsafe"
		-drive "file=$payload,format=raw,if=none,id=payload,readonly=on"
		-device nvme,id=nvme,serial=ldmshare
		-device nvme-ns,drive=root,nsid=1 -device nvme-ns,drive=payload,nsid=2
		-kernel "$kernel"
		-append "root=/dev/nvme0n1 rw rootwait console=ttyS0 log_buf_len=4M oops=panic panic=-1 $append init=/bin/bash -- -c \"$guest_boot\"")
}

# default_kernel ROOT: the newest kernel installed in ROOT.
default_kernel() {
	printf '%s\n' "$1"/boot/vmlinuz-* | sort -V | tail -n 1
}
