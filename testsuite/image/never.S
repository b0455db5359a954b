/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is never split: text with a relocation (linked with -z notext); with -DWX
 * a segment that is writable and executable.
 */
	.text
	.globl	number_of
	.type	number_of, @function
number_of:
	.cfi_startproc
#ifdef WX
	movl	number(%rip), %eax
#else
	movabsq	$number, %rax
	movl	(%rax), %eax
#endif
	ret
	.cfi_endproc
	.size	number_of, . - number_of

#ifdef WX
	.section .wx, "awx"
#else
	.data
#endif
number:	.long	7
	.section .note.GNU-stack, "", @progbits
