// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <unistd.h>

#include "format.h"
#include "progress.h"

#define BAR_WIDTH	40

static void draw(const struct progress *progress)
{
	static const char bar[] = "########################################";
	int filled = (int)((double)progress->done / (double)progress->total *
			   BAR_WIDTH);

	if (!progress->visible)
		return;
	fprintf(stderr, "\r[%-*.*s] %s of %s\033[K", BAR_WIDTH, filled, bar,
		format_size(progress->done).text,
		format_size(progress->total).text);
}

void progress_begin(struct progress *progress, uint64_t total)
{
	*progress = (struct progress) {
		.total = total ? total : 1,
		.visible = isatty(STDERR_FILENO),
	};
	draw(progress);
}

void progress_add(struct progress *progress, uint64_t bytes)
{
	progress->done += bytes;
	draw(progress);
}

void progress_clear(const struct progress *progress)
{
	if (progress->visible)
		fputs("\r\033[K", stderr);
}
