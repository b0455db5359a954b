// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mshare-preload: from command line to live region
 *
 *	options -> candidates -> selection -> plan -> populate
 */
#include <err.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "candidates.h"
#include "format.h"
#include "options.h"
#include "plan.h"
#include "populate.h"
#include "selection.h"

static void flush_output(void)
{
	if (fflush(stdout) || ferror(stdout))
		err(1, "standard output");
}

int main(int argc, char **argv)
{
	struct options options;
	struct candidates candidates;
	struct selection selection;
	struct mshare_layout layout;
	uint64_t generation = 0;

	/* Whoever ignores it would make waiting for our children fail. */
	signal(SIGCHLD, SIG_DFL);
	parse_options(argc, argv, &options);
	find_candidates(&options, &candidates);
	select_libraries(&options, &candidates, &selection);
	free_candidates(&candidates);
	if (!selection.count)
		errx(1, "no library to share");

	plan_layout(&options, &selection, &layout);
	if (!options.dry_run)
		generation = populate(&options, &selection, &layout);
	if (options.dry_run || options.json)
		print_plan(&options, &selection, &layout, generation);
	else
		printf("%s: generation %" PRIu64 ", %zu libraries, %s at %#" PRIx64 "\n",
		       options.name, generation, selection.count,
		       format_size(layout.size).text, layout.start);
	free_selection(&selection);
	free_options(&options);
	flush_output();
	return 0;
}
