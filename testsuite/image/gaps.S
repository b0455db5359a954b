/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hand-written code has between functions with unwind tables: a table
 * that code refers to, some bytes of which would be an instruction that refers
 * to data, and a function that nothing refers to, behind it a text.  That
 * function is called all the same, in a way that nobody can see.
 */
	.text
	.globl	name_of
	.type	name_of, @function
name_of:
	.cfi_startproc
	/* The table: 0 */
	movslq	%edi, %rdi
	movzbl	.Lbytes(%rip), %eax
	addq	%rax, %rdi
	/* hidden, computed */
	call	1f
1:	popq	%rdx
	movl	$(.Lhidden - 1b) ^ 0x5555, %eax
	xorl	$0x5555, %eax
	addq	%rax, %rdx
	jmp	*%rdx
	.cfi_endproc
	.size	name_of, . - name_of

	.align	16
.Lbytes:
	.byte	0
	/* movl %esi, table(%rip), and then nothing that is an instruction */
	.byte	0x89, 0x35
	.long	.Ltable - . - 4
	.byte	0x06, 0x06, 0x06, 0x06

	.align	16
	.globl	counted
	.type	counted, @function
counted:
	.cfi_startproc
	movl	$7, %eax
	ret
	.cfi_endproc
	.size	counted, . - counted

	.align	16
.Lhidden:
	leaq	.Ltable(%rip), %rdx
	/* VIA's rep xsha512, which is not run */
	testl	%edi, %edi
	jns	1f
	.byte	0xf3, 0x0f, 0xa6, 0xe0
1:	movq	(%rdx,%rdi,8), %rax
	ret
	.ascii	"by somebody, for x86_64"

	.align	16
	.globl	run_all
	.type	run_all, @function
run_all:
	.cfi_startproc
	movl	$9, %eax
	ret
	.cfi_endproc
	.size	run_all, . - run_all

	.section .rodata
.Lwords:
	.string	"one"
	.string	"two"
	.string	"three"
	.string	"four"

	.section .data.rel.ro, "aw"
	.align	8
.Ltable:
	.quad	.Lwords, .Lwords + 4, .Lwords + 8, .Lwords + 14
	.section .note.GNU-stack, "", @progbits
