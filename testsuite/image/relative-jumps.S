/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hand-written jump table, as libgmp has them: distances from .data.rel.ro
 * to the code, without a relocation.
 */
	.text
	.globl	name_of
	.type	name_of, @function
name_of:
	.cfi_startproc
	leaq	table(%rip), %rdx
	movslq	%edi, %rdi
	movslq	(%rdx,%rdi,4), %rax
	addq	%rdx, %rax
	jmp	*%rax
one:
	leaq	words(%rip), %rax
	ret
two:
	leaq	words+4(%rip), %rax
	ret
three:
	leaq	words+8(%rip), %rax
	ret
	.cfi_endproc
	.size	name_of, . - name_of

	.section .rodata
words:
	.string	"one"
	.string	"two"
	.string	"three"

	.section .data.rel.ro, "aw"
	.align	8
table:
	.long	one - table
	.long	two - table
	.long	three - table
	.section .note.GNU-stack, "", @progbits
