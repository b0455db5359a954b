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

static void print_outcome(const struct options *options,
			  const struct selection *selection,
			  const struct mshare_layout *layout,
			  const struct outcome *outcome)
{
	printf("%s: generation %" PRIu64 ", %zu libraries, %s at %#" PRIx64 "\n",
	       options->name, outcome->generation, selection->count,
	       format_size(layout->size).text, layout->start);
	if (outcome->kept.files)
		printf("%s: data of %" PRIu64 " older generations is still used: %s\n",
		       options->data_dir, outcome->kept.files,
		       format_size(outcome->kept.bytes).text);
}

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
	struct outcome outcome = { 0 };

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
		populate(&options, &selection, &layout, &outcome);
	if (options.dry_run || options.json)
		print_plan(&options, &selection, &layout, &outcome);
	else
		print_outcome(&options, &selection, &layout, &outcome);
	free_selection(&selection);
	free_options(&options);
	flush_output();
	return 0;
}
