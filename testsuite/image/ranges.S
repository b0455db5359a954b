/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ascending numbers, as libonig has them for ranges of characters: the last ones
 * would be distances to constants in .data.rel.ro, but the first ones would lead
 * into the list itself.
 */
	.text
	.globl	counted
	.type	counted, @function
counted:
	.cfi_startproc
	leaq	ranges(%rip), %rax
	movl	4(%rax), %eax
	ret
	.cfi_endproc
	.size	counted, . - counted

	.section .rodata
	.align	4
ranges:
	.long	0x18, 0x41, 0x5a, 0x61, 0x7a, 0xaa
	.long	one - ranges
	.long	two - ranges
	.long	three - ranges
words:
	.string	"one"
	.string	"two"
	.string	"three"
	.fill	256

	.section .data.rel.ro, "aw"
	.align	8
one:
	.quad	words, 1
two:
	.quad	words + 4, 2
three:
	.quad	words + 8, 3
	.section .note.GNU-stack, "", @progbits
