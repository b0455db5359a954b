/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A branch into the middle of an instruction: what is decoded from the
 * function's beginning is not what runs.
 */
	.text
	.globl	name_of
	.type	name_of, @function
name_of:
	.cfi_startproc
	movslq	%edi, %rdi
	jmp	1f
	.byte	0x48, 0xb8		/* movabs $..., %rax */
1:
	leaq	table(%rip), %rdx
	nop
	movq	(%rdx,%rdi,8), %rax
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
	.quad	words, words + 4, words + 8
	.section .note.GNU-stack, "", @progbits
