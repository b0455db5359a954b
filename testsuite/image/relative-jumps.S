/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hand-written jump tables, as libgmp has them: distances from .data.rel.ro to
 * the code, without a relocation.  What may not be taken for one, or not for all
 * of one:
 *
 * -DAPART    between taking the table's address and using it is something else,
 *	      and there is no other table
 * -DOTHER    words are read from elsewhere
 * -DMIDDLE   the flow can come from elsewhere, with another address
 * -DSHARED   something else refers to the table, too
 * -DNAMED    it is part of an object that has a name
 * -DBEHIND   something refers to the word behind it, which is no distance
 * -DSTRAY    a word leads into an instruction
 * -DFAR      a word leads into another function
 * -DBELOW    the index is negative
 * -DSTRIDE   each distance is in an entry with a pointer
 * -DUNALIGNED words are read between words
 * -DBEYOND   words are read behind something else
 * -DMANY     there are 65 tables
 */
	.text
	.globl	name_of
	.type	name_of, @function
name_of:
	.cfi_startproc
#ifdef APART
	leaq	names(%rip), %rdx
	movslq	%edi, %rdi
#else
	movslq	%edi, %rdi
# ifdef STRIDE
	shlq	$2, %rdi
# endif
	leaq	names(%rip), %rdx
#endif
middle:
#if defined(OTHER)
	movslq	(%rsi,%rdi,4), %rax
#elif defined(UNALIGNED)
	movslq	2(%rdx,%rdi,4), %rax
#elif defined(BEYOND)
	movslq	further-names(%rdx,%rdi,4), %rax
#else
	movslq	(%rdx,%rdi,4), %rax
#endif
	addq	%rdx, %rax
	jmp	*%rax
#ifdef MIDDLE
	leaq	words(%rip), %rdx
	jmp	middle
#endif
one:
	leaq	words(%rip), %rax
	ret
two:
	leaq	words+4(%rip), %rax
	ret
three:
	leaq	words+8(%rip), %rax
	ret
four:
	leaq	words+14(%rip), %rax
	ret
	.cfi_endproc
	.size	name_of, . - name_of

#ifndef APART
	.globl	counted
	.type	counted, @function
counted:
	.cfi_startproc
	movq	$-1, %r9
	leaq	numbers(%rip), %r8
	movslq	0xc(%r8,%r9,4), %r10
	addq	%r10, %r8
	jmp	*%r8
seven:
	movl	$7, %eax
	ret
eight:
	movl	$8, %eax
	ret
	.cfi_endproc
	.size	counted, . - counted
#endif

#ifdef SHARED
	.globl	shared
	.type	shared, @function
shared:
	.cfi_startproc
	movl	numbers(%rip), %eax
	ret
	.cfi_endproc
	.size	shared, . - shared
#endif
#ifdef BEHIND
	.globl	behind
	.type	behind, @function
behind:
	.cfi_startproc
	movl	number(%rip), %eax
	ret
	.cfi_endproc
	.size	behind, . - behind
#endif

#ifdef MANY
	.macro	jump
	leaq	table\@(%rip), %rdx
	movslq	(%rdx,%rdi,4), %rax
	addq	%rdx, %rax
	jmp	*%rax
there\@:
	ret
	.pushsection .data.rel.ro, "aw"
table\@:
	.long	there\@ - table\@
	.popsection
	.endm

	.globl	many
	.type	many, @function
many:
	.cfi_startproc
	.rept	63
	jump
	.endr
	.cfi_endproc
	.size	many, . - many
#endif

	.section .rodata
words:
	.string	"one"
	.string	"two"
	.string	"three"
	.string	"four"

	.section .data.rel.ro, "aw"
	.align	8
#ifdef NAMED
	.globl	object
	.type	object, @object
object:
#endif
	.quad	words
#ifdef NAMED
	.quad	0
	.long	0
	.size	object, . + 4 - object
#endif
#ifdef BELOW
	.long	one - names
#endif
names:
	.long	one - names
#ifdef STRIDE
	.long	0
	.quad	words
#endif
	.long	two - names
	.long	three - names
	.long	four - names
#ifdef BEYOND
	.align	8
	.quad	words
further:
	.long	four - names
#endif
#ifndef APART
numbers:
	.long	0
	.long	seven - numbers
	.long	eight - numbers
#endif
#ifdef STRAY
	.long	seven + 1 - numbers
#endif
#ifdef FAR
	.long	one - numbers
#endif
#ifdef BEHIND
number:	.long	one - numbers
#endif
	.section .note.GNU-stack, "", @progbits
