/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library that must relocate its text.  The tools refuse such a library; a
 * catalog might name it all the same.
 */
int answer = 42;

__asm__(".text\n"
	".globl read_answer\n"
	".type read_answer, @function\n"
	"read_answer:\n"
	"	movabs $answer, %rax\n"
	"	mov (%rax), %eax\n"
	"	ret\n"
	".size read_answer, . - read_answer\n");
