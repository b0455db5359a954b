/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code that nothing tells of: no unwind table, no symbol, reached through a
 * register only.  It refers to data.
 */
	.text
	.globl	name_of
	.type	name_of, @function
name_of:
	.cfi_startproc
	leaq	.Lhidden(%rip), %rdx
	jmp	*%rdx
	.cfi_endproc
	.size	name_of, . - name_of

	.align	16
.Lhidden:
	movslq	%edi, %rdi
	leaq	table(%rip), %rdx
	movq	(%rdx,%rdi,8), %rax
	ret

	.section .rodata
words:
	.string	"one"
	.string	"two"
	.string	"three"

	.section .data.rel.ro, "aw"
	.align	8
table:
	.quad	words, words + 4, words + 8
	.section .note.GNU-stack, "", @progbits
