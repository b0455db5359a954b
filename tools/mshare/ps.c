// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mshare ps: what each process has of a region
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "json.h"
#include "processes.h"
#include "regions.h"
#include "table.h"
#include "verbs.h"

/**
 * struct survey - what is needed to ask for one process after the other
 * @region:  the region
 * @flags:   one byte for each window: scratch space
 * @windows: how many
 * @denied:  processes we may not ask for
 * @rows:    those that have some of the region
 */
struct survey {
	struct mshare_region *region;
	unsigned char *flags;
	size_t windows;
	size_t denied;
	struct json_object *rows;
};

static uint64_t count_windows(const struct survey *survey, unsigned char flag)
{
	uint64_t count = 0;

	for (size_t i = 0; i < survey->windows; i++)
		count += !!(survey->flags[i] & flag);
	return count;
}

/* @always: a row even for a process that has nothing. */
static int add_process(struct survey *survey, int pid, bool always)
{
	int result = mshare_region_process(survey->region, pid, survey->flags,
					   survey->windows);
	uint64_t mapped = count_windows(survey, MSHARE_WINDOW_MAPPED);
	struct json_object *row;
	char command[64];

	if (result || (!mapped && !always))
		return result;
	read_command(pid, command, sizeof(command));
	row = json_object_new_object();
	json_set_number(row, "pid", (uint64_t)pid);
	json_set_string(row, "command", command);
	json_set_number(row, "mapped", mapped);
	json_set_number(row, "attached",
			count_windows(survey, MSHARE_WINDOW_ATTACHED));
	json_set_number(row, "private",
			count_windows(survey, MSHARE_WINDOW_PRIVATE));
	json_object_array_add(survey->rows, row);
	return 0;
}

static void add_any_process(int pid, void *context)
{
	struct survey *survey = context;
	int result = add_process(survey, pid, false);

	/* ESRCH: it has exited, or is a kernel thread. */
	if (result == -EPERM)
		survey->denied++;
	else if (result && result != -ESRCH)
		fail(result, "process %d", pid);
}

static void add_all_processes(struct survey *survey)
{
	for_each_process(add_any_process, survey);
	if (survey->denied)
		warnx("%zu processes left out: only root may ask for them",
		      survey->denied);
}

static int add_named_processes(struct survey *survey, char **pids, size_t count)
{
	int status = 0;

	for (size_t i = 0; i < count; i++) {
		int pid = process_number(pids[i]);
		int result = pid < 0 ? -ESRCH : add_process(survey, pid, true);

		if (result) {
			warnx("process %s: %s", pids[i], strerror(-result));
			status = 1;
		}
	}
	return status;
}

static void print_rows(struct survey *survey, const char *name, bool json)
{
	static const struct column columns[] = {
		{ "pid", "pid", COLUMN_NUMBER },
		{ "mapped", "mapped", COLUMN_NUMBER },
		{ "attached", "attached", COLUMN_NUMBER },
		{ "private", "private", COLUMN_NUMBER },
		{ "command", "command", COLUMN_TEXT },
		{ NULL, NULL, COLUMN_TEXT }
	};
	struct json_object *list = json_object_new_object();

	json_set_string(list, "region", name);
	json_object_object_add(list, "processes", survey->rows);
	if (json) {
		json_print(list);
		return;
	}
	table_print(survey->rows, columns);
	json_object_put(list);
}

int list_processes(const struct request *request)
{
	char **pids = request->args;
	size_t count = request->count;
	const char *name = MSHARE_REGION_DEFAULT;
	struct survey survey = { 0 };
	int status = 0;

	if (count && process_number(pids[0]) < 0) {
		name = *pids++;
		count--;
	}
	for (size_t i = 0; i < count; i++)
		if (process_number(pids[i]) < 0)
			errx(2, "%s: not a process id", pids[i]);

	survey.region = require_region(request->mountpoint, name);
	survey.windows = mshare_region_info(survey.region)->size /
			 MSHARE_WINDOW_SIZE;
	survey.flags = malloc(survey.windows + 1);
	survey.rows = json_object_new_array();
	if (!survey.flags)
		err(1, NULL);
	if (count)
		status = add_named_processes(&survey, pids, count);
	else
		add_all_processes(&survey);
	print_rows(&survey, name, request->json);
	free(survey.flags);
	mshare_region_close(survey.region);
	return status;
}
