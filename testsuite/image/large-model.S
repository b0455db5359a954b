/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The large code model: data is found from the GOT's address, and that from
 * the code's own, by 64-bit constants.
 */
	.text
	.globl	name_of
	.type	name_of, @function
name_of:
	.cfi_startproc
.Lhere:
	leaq	.Lhere(%rip), %rdx
	movabsq	$_GLOBAL_OFFSET_TABLE_ - .Lhere, %rcx
	addq	%rcx, %rdx
	movabsq	$table@GOTOFF, %rax
	addq	%rdx, %rax
	movslq	%edi, %rdi
	movq	(%rax,%rdi,8), %rax
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
