# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Sourced, after common.sh, by run and shell: what a virtual machine is made of.
# shellcheck disable=SC2154 # vm_dir is common.sh's
# shellcheck disable=SC2054 # the commas are QEMU's

# Process 1 is a shell that unpacks what comes from the first virtio port and
# becomes guest-init: the image knows nothing of the harness. No quotes in it.
guest_boot='mount -t devtmpfs dev /dev; mount -t tmpfs run /run;'
guest_boot+=' until [ -c /dev/vport0p1 ]; do sleep 0.1; done;'
guest_boot+=' tar -x --keep-directory-symlink --no-overwrite-dir'
guest_boot+=' -f /dev/vport0p1 -C / && exec /run/vm/guest-init'

# make_payload FILE MODE LIMIT TREE... -- COMMAND...: an archive of what is new
# in this machine: the trees to be laid over /, guest-init, its command and the
# seconds it may take, and check-kernel-log for commands that ask.
make_payload() {
	local file=$1 mode=$2 limit=$3 trees=() tree harness
	shift 3
	while [ "$1" != -- ]; do
		trees+=("$1")
		shift
	done
	shift

	harness=$(dirname "$file")/harness
	mkdir -p "$harness/run/vm"
	cp "$vm_dir"/{guest-init,common.sh,check-kernel-log,allowed-kernel-lines} \
		"$harness/run/vm/"
	echo "$mode" >"$harness/run/vm/mode"
	echo "$limit" >"$harness/run/vm/limit"
	echo "${TERM:-dumb} $( (stty size </dev/tty) 2>/dev/null || echo 24 80)" \
		>"$harness/run/vm/terminal"
	[ $# -eq 0 ] || printf '%q ' "$@" >"$harness/run/vm/command"
	[ $# -gt 0 ] || : >"$harness/run/vm/command"

	tar -c --owner=0 --group=0 -f "$file" -C "$harness" run
	for tree in "${trees[@]}"; do
		# Without directories: tar would take away the modes of those
		# that it finds in two trees.
		(cd "$tree" && find . ! -type d -print0) |
			tar -r --owner=0 --group=0 -f "$file" -C "$tree" \
				--null --no-recursion -T -
	done
}

# set_machine_args ACCEL SMP MEMORY IMAGE KERNEL APPEND [NODES]: sets the array
# machine_args, QEMU's arguments. Its standard input is the payload. One disk
# only: Linux numbers disks in any order. Ports without ioeventfd: what the
# guest writes to a port is in the host's file when its write() returns.
set_machine_args() {
	local accel=$1 smp=$2 memory=$3 image=$4 kernel=$5 append=$6 nodes=${7:-1}

	machine_args=(-M q35 -m "$memory" -nodefaults -no-user-config
		-display none -no-reboot)
	case $accel in
	kvm) machine_args+=(-accel kvm -cpu host -smp "$smp") ;;
	# QEMU 7.2 corrupts flags after cmpxchg16b.
	tcg) machine_args+=(-accel tcg,thread=multi -cpu 'max,-cx16' -smp "$smp") ;;
	# With sleep=off the time of an idle machine flies, and disks time out.
	icount) machine_args+=(-accel tcg,thread=single -cpu 'max,-cx16' -smp 1
		-icount shift=0,sleep=on) ;;
	*) die "no accelerator $accel" ;;
	esac
	[ "$nodes" -eq 1 ] || add_nodes "$nodes" "$smp" "$memory"
	machine_args+=(
		-drive "file=$image,format=raw,if=none,id=root,snapshot=on,cache=unsafe"
		-device nvme,drive=root,serial=ldmshare
		-device virtio-serial-pci,ioeventfd=off
		-chardev stdio,id=payload,signal=off
		-device virtserialport,chardev=payload,name=payload
		-kernel "$kernel"
		-append "root=/dev/nvme0n1 rw rootwait console=ttyS0 log_buf_len=4M oops=panic panic=-1 $append init=/bin/bash -- -c \"$guest_boot\"")
}

# add_nodes NODES SMP MEMORY: memory and CPUs in equal parts.
add_nodes() {
	local nodes=$1 each=$(($2 / $1)) memory=$(($3 / $1)) i

	for ((i = 0; i < nodes; i++)); do
		machine_args+=(
			-object "memory-backend-ram,id=node$i,size=${memory}M"
			-numa "node,nodeid=$i,memdev=node$i,cpus=$((i * each))-$((i * each + each - 1))")
	done
}

# default_kernel ROOT: the newest kernel installed in ROOT.
default_kernel() {
	printf '%s\n' "$1"/boot/vmlinuz-* | sort -V | tail -n 1
}
