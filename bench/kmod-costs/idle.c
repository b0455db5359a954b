// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A program that exits at once, with no libc and no loader: exec of it is exec.
 */
#include <sys/syscall.h>

__attribute__((noreturn)) void _start(void)
{
	__asm__ volatile("syscall" : : "a" (SYS_exit_group), "D" (0));
	__builtin_unreachable();
}
