# SPDX-License-Identifier: GPL-2.0-or-later
#
# What configure.ac is written in.  Lists kept in shell variables:
#   ldm_missing	lines "what<TAB>packages": nothing can be built without these
#   ldm_lacking	lines "part<TAB>what<TAB>packages": one part is left out

# LDM_MISSING(WHAT, DEBIAN-PACKAGES)
# ----------------------------------
# Remember something that configure cannot go on without.
AC_DEFUN([LDM_MISSING],
[AS_VAR_APPEND([ldm_missing], ["$1	$2
"])])

# LDM_LACKING(PART, WHAT, DEBIAN-PACKAGES)
# ----------------------------------------
# Remember something that one optional part cannot be had without.
AC_DEFUN([LDM_LACKING],
[AS_VAR_APPEND([ldm_lacking], ["$1	$2	$3
"])])

# LDM_NEED(PART, WHAT, DEBIAN-PACKAGES)
# -------------------------------------
# PART cannot be built without WHAT: an error if the user asked for PART with
# --enable-PART, else the part is left out.
AC_DEFUN([LDM_NEED],
[AS_IF([test "$enable_$1" = yes],
       [LDM_MISSING([$2], [$3])],
       [LDM_LACKING([$1], [$2], [$3])])
build_$1=no])

# LDM_CHECK_LIBRARY(VARIABLE-PREFIX, PKG-CONFIG-NAME, DEBIAN-PACKAGE)
# -------------------------------------------------------------------
AC_DEFUN([LDM_CHECK_LIBRARY],
[PKG_PROG_PKG_CONFIG
AS_IF([test -z "$PKG_CONFIG" && test -z "$ldm_told_pkg_config"],
      [ldm_told_pkg_config=yes
       LDM_MISSING([pkg-config], [pkg-config])])
PKG_CHECK_MODULES([$1], [$2], [], [LDM_MISSING([$2], [$3])])])

# LDM_CHECK_HEADER(VARIABLE-PREFIX, HEADER, LIBS, DEBIAN-PACKAGE)
# ---------------------------------------------------------------
# A library that brings no pkg-config file.  Needs $ldm_cc: nothing has been
# compiled yet when this is asked.
AC_DEFUN([LDM_CHECK_HEADER],
[AC_MSG_CHECKING([for $2])
AS_IF([test -n "$ldm_cc" && echo '#include <$2>' |
	$ldm_cc $CPPFLAGS -E - >/dev/null 2>&1],
	[AC_MSG_RESULT([yes])
	$1_LIBS="$3"],
	[AC_MSG_RESULT([no])
	LDM_MISSING([$2], [$4])])
AC_SUBST([$1_LIBS])])

# LDM_REPORT_MISSING
# ------------------
# Stop with one message for all that is missing, also for parts that can be
# left out.
AC_DEFUN([LDM_REPORT_MISSING],
[AS_IF([test -n "$ldm_missing"],
[{
	echo
	echo "configure: these are missing:"
	printf %s "$ldm_missing" | sed 's/^\(.*\)	\(.*\)$/  \1  (Debian: \2)/'
	printf %s "$ldm_lacking" |
		sed 's/^\(.*\)	\(.*\)	\(.*\)$/  for \1: \2  (Debian: \3)/'
	echo "configure: on Debian: apt-get install" \
	     `printf %s "$ldm_missing$ldm_lacking" | sed 's/.*	//'`
} >&2
AC_MSG_ERROR([see the list of what is missing above])])])

# LDM_PART_KMOD
# -------------
# The kernel module.  Sets BUILD_KMOD, KERNEL_DIR, KERNEL_RELEASE, moduledir.
AC_DEFUN([LDM_PART_KMOD],
[AC_ARG_ENABLE([kmod],
	[AS_HELP_STRING([--disable-kmod],
		[do not build the kernel module
		 @<:@default: built when Linux 6.12 headers are present@:>@])],
	[], [enable_kmod=auto])
AC_ARG_WITH([kernel],
	[AS_HELP_STRING([--with-kernel=DIR],
		[build the module against the kernel build tree DIR
		 @<:@default: newest /lib/modules/6.12.*/build@:>@])],
	[], [with_kernel=auto])
AC_ARG_WITH([module-directory],
	[AS_HELP_STRING([--with-module-directory=DIR],
		[install the module below DIR/RELEASE @<:@/lib/modules@:>@])],
	[moduledir=$withval], [moduledir=/lib/modules])

AC_MSG_CHECKING([for a Linux 6.12 build tree])
KERNEL_DIR=
KERNEL_RELEASE=
AS_IF([test "$with_kernel" != auto],
	[KERNEL_DIR=$with_kernel],
	[for ldm_dir in `ls -d /lib/modules/6.12.*/build 2>/dev/null | sort -V`
	do
		AS_IF([test -f $ldm_dir/include/config/kernel.release],
			[KERNEL_DIR=$ldm_dir])
	done])
AS_IF([test -f "$KERNEL_DIR/include/config/kernel.release"],
	[KERNEL_RELEASE=`cat "$KERNEL_DIR/include/config/kernel.release"`])
AC_MSG_RESULT([${KERNEL_DIR:-no}${KERNEL_RELEASE:+ ($KERNEL_RELEASE)}])

# Other releases change the page-table code that the module depends on.
build_kmod=yes
AS_CASE([$enable_kmod:$KERNEL_RELEASE],
	[no:*], [build_kmod=no],
	[*:6.12.*], [],
	[*:], [LDM_NEED([kmod], [headers of a Linux 6.12 kernel],
		[linux-headers-cloud-amd64/bookworm-backports])],
	[LDM_NEED([kmod],
		[headers of a Linux 6.12 kernel; $KERNEL_DIR is $KERNEL_RELEASE],
		[linux-headers-cloud-amd64/bookworm-backports])])
AC_SUBST([KERNEL_DIR])
AC_SUBST([KERNEL_RELEASE])
AC_SUBST([moduledir])
AM_CONDITIONAL([BUILD_KMOD], [test $build_kmod = yes])])

# LDM_PART_GLIBC
# --------------
# ld.so from Debian's glibc source.  Sets BUILD_GLIBC, GLIBC_VERSION,
# GLIBC_TARBALL.
AC_DEFUN([LDM_PART_GLIBC],
[AC_ARG_ENABLE([glibc],
	[AS_HELP_STRING([--disable-glibc],
		[do not build the patched ld.so
		 @<:@default: built when glibc's source is present@:>@])],
	[], [enable_glibc=auto])
AC_ARG_WITH([glibc-source],
	[AS_HELP_STRING([--with-glibc-source=FILE],
		[source of glibc, as Debian's glibc-source has it
		 @<:@/usr/src/glibc/glibc-2.36.tar.xz@:>@])],
	[GLIBC_TARBALL=$withval],
	[GLIBC_TARBALL=/usr/src/glibc/glibc-2.36.tar.xz])
GLIBC_VERSION=2.36

build_glibc=yes
AS_IF([test "$enable_glibc" = no], [build_glibc=no],
	[AC_MSG_CHECKING([for the source of glibc $GLIBC_VERSION])
	AS_IF([test -f "$GLIBC_TARBALL"],
		[AC_MSG_RESULT([$GLIBC_TARBALL])],
		[AC_MSG_RESULT([no])
		LDM_NEED([glibc], [$GLIBC_TARBALL], [glibc-source])])
	m4_foreach_w([ldm_prog], [bison gawk make patch python3],
		[AC_CHECK_PROG([ldm_]ldm_prog, ldm_prog, [yes], [no])
		AS_IF([test $ldm_]ldm_prog[ = no],
			[LDM_NEED([glibc], ldm_prog, ldm_prog)])
		])])
AC_SUBST([GLIBC_VERSION])
AC_SUBST([GLIBC_TARBALL])
AM_CONDITIONAL([BUILD_GLIBC], [test $build_glibc = yes])])

# LDM_FLAG(VARIABLE, FLAG, [PROGRAM])
# -----------------------------------
# Add FLAG to VARIABLE if compiler and linker take it without a word.
AC_DEFUN([LDM_FLAG],
[AC_MSG_CHECKING([whether $CC takes $2])
ldm_saved=$CFLAGS
CFLAGS="$2 $CFLAGS -Werror"
AC_LINK_IFELSE([m4_default([$3], [AC_LANG_SOURCE([int main(void) { return 0; }])])],
	[AC_MSG_RESULT([yes])
	$1="$$1 $2"],
	[AC_MSG_RESULT([no])])
CFLAGS=$ldm_saved])

# LDM_COMPILER_FLAGS
# ------------------
# Warnings and hardening for all user-space code.  They come before CPPFLAGS,
# CFLAGS and LDFLAGS, so those have the last word.
AC_DEFUN([LDM_COMPILER_FLAGS],
[AC_ARG_ENABLE([werror],
	[AS_HELP_STRING([--enable-werror], [warnings are errors])])
AC_ARG_ENABLE([hardening],
	[AS_HELP_STRING([--disable-hardening],
		[no stack protector, _FORTIFY_SOURCE, RELRO and so on])])

AM_CPPFLAGS='-I$(top_srcdir)/kmod/uapi -I$(top_srcdir)/loader'
AM_CFLAGS=
AM_LDFLAGS=
LDM_FLAG([AM_CFLAGS], [-Wall])
LDM_FLAG([AM_CFLAGS], [-Wextra])
AS_IF([test "$enable_werror" = yes], [AM_CFLAGS="$AM_CFLAGS -Werror"])
AS_IF([test "$enable_hardening" != no],
	[# Without optimization, <features.h> warns about this one.
	LDM_FLAG([AM_CPPFLAGS], [-D_FORTIFY_SOURCE=2],
		[AC_LANG_PROGRAM([@%:@include <stdio.h>])])
	LDM_FLAG([AM_CFLAGS], [-fstack-protector-strong])
	LDM_FLAG([AM_CFLAGS], [-fstack-clash-protection])
	LDM_FLAG([AM_CFLAGS], [-fcf-protection])
	LDM_FLAG([AM_CFLAGS], [-Wformat -Werror=format-security])
	LDM_FLAG([AM_LDFLAGS], [-Wl,-z,relro])
	LDM_FLAG([AM_LDFLAGS], [-Wl,-z,now])])
AC_SUBST([AM_CPPFLAGS])
AC_SUBST([AM_CFLAGS])
AC_SUBST([AM_LDFLAGS])])

# LDM_SUMMARY
# -----------
# The last thing configure prints: what is built, what is not, and why.
AC_DEFUN([LDM_SUMMARY],
[AS_IF([test $build_kmod = yes],
	[ldm_kmod="yes, for Linux $KERNEL_RELEASE"],
	[test "$enable_kmod" = no], [ldm_kmod="no (--disable-kmod)"],
	[ldm_kmod="no, see below"])
AS_IF([test $build_glibc = yes],
	[ldm_glibc="yes, from $GLIBC_TARBALL"],
	[test "$enable_glibc" = no], [ldm_glibc="no (--disable-glibc)"],
	[ldm_glibc="no, see below"])
AS_IF([test $ldm_runtest = yes],
	[ldm_check="yes"],
	[ldm_check="no, see below"])
AC_MSG_NOTICE([$PACKAGE_STRING:
  tools (mshare, mshare-preload)  yes
  kernel module (mshare.ko)       $ldm_kmod
  patched ld.so (glibc $GLIBC_VERSION)      $ldm_glibc
  tests (make check)              $ldm_check])
AS_IF([test -n "$ldm_lacking" && test "$silent" != yes],
	[AC_MSG_NOTICE([left out, because these are missing:])
	printf %s "$ldm_lacking" |
		sed 's/^\(.*\)	\(.*\)	\(.*\)$/  for \1: \2  (Debian: apt-get install \3)/'])])
