/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the counters of a region are called. */
#ifndef COUNTERS_H
#define COUNTERS_H

#include <linux/msharefs.h>

/**
 * struct counter - one of enum mshare_counter
 * @name:    its name there, without MSHARE_, in small letters
 * @meaning: a few words for people
 */
struct counter {
	const char *name;
	const char *meaning;
};

extern const struct counter counters[MSHARE_NR_COUNTERS];

#endif /* COUNTERS_H */
