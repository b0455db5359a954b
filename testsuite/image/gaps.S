/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hand-written code has between functions with unwind tables: a table that
 * code refers to, some bytes of which would be an instruction that refers to
 * data.  Whether that could be run depends on the bytes BEHIND it.
 */
#ifndef BEHIND
/* Taken out of 64-bit mode */
#define BEHIND	0x06, 0x06, 0x06, 0x06
#endif

	.text
	.globl	name_of
	.type	name_of, @function
name_of:
	.cfi_startproc
	movslq	%edi, %rdi
	movzbl	.Lbytes(%rip), %eax
	addq	%rax, %rdi
	leaq	.Ltable(%rip), %rdx
	/* VIA's rep xsha512, which is not run */
	testl	%edi, %edi
	jns	1f
	.byte	0xf3, 0x0f, 0xa6, 0xe0
1:	movq	(%rdx,%rdi,8), %rax
	ret
	.cfi_endproc
	.size	name_of, . - name_of

	.align	16
.Lbytes:
	.byte	0
	/* movl %esi, .Ltable(%rip) */
	.byte	0x89, 0x35
	.long	.Ltable - . - 4
	.byte	BEHIND
#ifdef UNKNOWN
	/* vbcstnebf162ps .Ltable(%rip), %xmm0: newer than Zydis 4.0 */
	.byte	0xc4, 0xe2, 0x7a, 0xb1, 0x05
	.long	.Ltable - . - 4
	ret
#endif

	.align	16
	.globl	counted
	.type	counted, @function
counted:
	.cfi_startproc
	movl	$7, %eax
	ret
	.cfi_endproc
	.size	counted, . - counted

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
