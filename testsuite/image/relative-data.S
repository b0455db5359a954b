/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clang's relative lookup table, as libLLVM-14 has them: distances from
 * read-only data to constants in .data.rel.ro, without a relocation; with
 * -DTABLE=.text beside the code; with -DSPACE=BYTES in a library of that size.
 */
#ifndef TABLE
#define TABLE	.rodata
#endif

	.text
	.globl	name_of
	.type	name_of, @function
name_of:
	.cfi_startproc
	leaq	table(%rip), %rax
	movslq	%edi, %rdi
	movslq	(%rax,%rdi,4), %rdx
	addq	%rdx, %rax
	movq	(%rax), %rax
	ret
	.cfi_endproc
	.size	name_of, . - name_of

#ifdef SPACE
	.space	SPACE
#endif

	.section TABLE
	.align	4
table:
	.long	one - table
	.long	two - table
	.long	three - table
	.section .rodata
words:
	.string	"one"
	.string	"two"
	.string	"three"

	.section .data.rel.ro, "aw"
	.align	8
one:
	.quad	words, 1
two:
	.quad	words + 4, 2
three:
	.quad	words + 8, 3
	.section .note.GNU-stack, "", @progbits
