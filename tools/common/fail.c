// SPDX-License-Identifier: GPL-2.0-or-later
#include <err.h>
#include <errno.h>
#include <stdarg.h>

#include "fail.h"

void fail(int result, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	errno = -result;
	verr(1, format, args);
}
