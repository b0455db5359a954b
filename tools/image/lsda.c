// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * .gcc_except_table: the types that handlers catch.
 *
 * A function's table (LSDA) is a header, call sites, actions and types.  The
 * number of types is stated nowhere: it is the largest that an action names.
 * Types are distances to pointers in the data.
 */
#include <errno.h>

#include "steps.h"

/* Real actions form short chains; this also bounds those of a cycle. */
#define CHAIN_MAX	4096

/**
 * struct lsda - one function's table
 * @source:  the library
 * @sites:   receives references to data
 * @verdict: receives what is wrong
 * @vaddr:   where it is
 * @actions: the table of actions, and all behind it
 * @types:   address that types are counted down from; 0: there are none
 * @indirect: encoding of the types
 * @ntypes:  the largest type an action names
 * @budget:  steps left: tables may overlap in a hostile file
 */
struct lsda {
	const struct image_source *source;
	struct image_sites *sites;
	struct image_verdict *verdict;
	uint64_t vaddr;
	struct image_cursor actions;
	uint64_t types;
	unsigned char encoding;
	uint64_t ntypes;
	uint64_t *budget;
};

static int refuse(const struct lsda *lsda, const char *what)
{
	return image_refuse(lsda->verdict, IMAGE_UNWIND,
			    "%s in the exception table at %#lx", what,
			    lsda->vaddr);
}

static bool spend(const struct lsda *lsda)
{
	return *lsda->budget && (*lsda->budget)--;
}

/* An exception specification: a list of types, ended by 0. */
static int read_specification(struct lsda *lsda, int64_t filter)
{
	uint64_t vaddr = lsda->types + (uint64_t)(-filter - 1);
	struct image_cursor cursor = lsda->actions;
	uint64_t type;

	if (vaddr - cursor.vaddr > (uint64_t)(cursor.end - cursor.at))
		return refuse(lsda, "a specification outside of it");
	cursor.at += vaddr - cursor.vaddr;
	while ((type = image_take_uleb(&cursor))) {
		if (!spend(lsda))
			return refuse(lsda, "an endless list");
		if (type > lsda->ntypes)
			lsda->ntypes = type;
	}
	return cursor.bad ? refuse(lsda, "an open list") : 0;
}

/*
 * The table of actions ends where the types begin.  A part of a function that
 * was moved away has all of its actions, though its call sites use few.
 */
static void read_all_actions(struct lsda *lsda)
{
	struct image_cursor cursor = lsda->actions;

	while (!cursor.bad && cursor.vaddr + 4 * lsda->ntypes < lsda->types &&
	       spend(lsda)) {
		uint64_t most = (lsda->types - cursor.vaddr) / 4;
		int64_t filter = image_take_sleb(&cursor);

		image_take_sleb(&cursor);
		if (!cursor.bad && filter > 0 && (uint64_t)filter <= most &&
		    (uint64_t)filter > lsda->ntypes)
			lsda->ntypes = (uint64_t)filter;
	}
}

static int follow_actions(struct lsda *lsda, uint64_t action)
{
	struct image_cursor cursor = lsda->actions;
	int64_t filter, distance;
	int err = 0;

	for (unsigned int i = 0; i < CHAIN_MAX && !err; i++) {
		if (action - 1 > (uint64_t)(lsda->actions.end -
					    lsda->actions.at) || !spend(lsda))
			return refuse(lsda, "an action outside of it");
		cursor.at = lsda->actions.at + action - 1;
		filter = image_take_sleb(&cursor);
		action = (uint64_t)(cursor.at - lsda->actions.at) + 1;
		distance = image_take_sleb(&cursor);
		if (cursor.bad)
			return refuse(lsda, "a damaged action");
		if (filter > 0 && (uint64_t)filter > lsda->ntypes)
			lsda->ntypes = (uint64_t)filter;
		if (filter < 0)
			err = read_specification(lsda, filter);
		if (!distance)
			return err;
		action += (uint64_t)distance;
	}
	return err ? err : refuse(lsda, "an endless chain of actions");
}

static uint64_t take_encoded(struct image_cursor *cursor, unsigned char encoding)
{
	switch (encoding) {
	case DW_EH_PE_uleb128:
		return image_take_uleb(cursor);
	case DW_EH_PE_udata4:
		return image_take(cursor, 4);
	default:
		cursor->bad = true;
		return 0;
	}
}

static int read_call_sites(struct lsda *lsda, struct image_cursor *cursor)
{
	unsigned char encoding = (unsigned char)image_take(cursor, 1);
	uint64_t size = image_take_uleb(cursor);
	int err = 0;

	if (cursor->bad || size > (uint64_t)(cursor->end - cursor->at))
		return refuse(lsda, "too large a table of call sites");
	lsda->actions = *cursor;
	lsda->actions.at += size;
	lsda->actions.vaddr += size;
	cursor->end = cursor->at + size;
	while (cursor->at < cursor->end && !err) {
		uint64_t action;

		take_encoded(cursor, encoding);		/* start */
		take_encoded(cursor, encoding);		/* length */
		take_encoded(cursor, encoding);		/* landing pad */
		action = image_take_uleb(cursor);
		if (cursor->bad || !spend(lsda))
			return refuse(lsda, "a damaged call site");
		if (action)
			err = follow_actions(lsda, action);
	}
	return err;
}

static int add_type(struct lsda *lsda, uint64_t place)
{
	const unsigned char *at = image_at(lsda->source, place, 4);
	struct image_cursor cursor = { .at = at, .end = at + 4 };
	int64_t distance;

	if (!at || !image_is_text(lsda->source, place))
		return refuse(lsda, "a type outside of the file");
	distance = image_take_signed(&cursor, 4);
	/* catch (...) */
	if (!distance)
		return 0;
	switch (image_classify(lsda->source, place + (uint64_t)distance)) {
	case IMAGE_TO_TEXT:
		return 0;
	case IMAGE_TO_DATA:
		return image_sites_add(lsda->sites, &(struct image_site) {
			.place = place, .origin = place,
			.target = place + (uint64_t)distance,
			.kind = IMAGE_SITE_LSDA,
		});
	default:
		return refuse(lsda, "a type that is nowhere");
	}
}

static int add_types(struct lsda *lsda)
{
	int err = 0;

	if (!lsda->ntypes)
		return 0;
	if (!lsda->types)
		return refuse(lsda, "actions without types");
	if (lsda->types < lsda->actions.vaddr ||
	    lsda->ntypes > (lsda->types - lsda->actions.vaddr) / 4)
		return refuse(lsda, "more types than there is room for");
	if ((lsda->encoding & ~DW_EH_PE_indirect) !=
	    (DW_EH_PE_pcrel | DW_EH_PE_sdata4))
		return refuse(lsda, "types of unknown form");
	for (uint64_t i = 1; i <= lsda->ntypes && !err; i++) {
		if (!spend(lsda))
			return refuse(lsda, "too many types");
		err = add_type(lsda, lsda->types - 4 * i);
	}
	return err;
}

static int read_lsda(struct lsda *lsda, const Elf64_Shdr *section)
{
	uint64_t offset = lsda->vaddr - section->sh_addr;
	const unsigned char *bytes = lsda->source->bytes + section->sh_offset;
	struct image_cursor cursor = {
		.at = bytes + offset, .end = bytes + section->sh_size,
		.vaddr = lsda->vaddr,
	};
	uint64_t distance;
	int err;

	if (image_take(&cursor, 1) != DW_EH_PE_omit)
		return refuse(lsda, "landing pads of unknown form");
	lsda->encoding = (unsigned char)image_take(&cursor, 1);
	if (lsda->encoding != DW_EH_PE_omit) {
		distance = image_take_uleb(&cursor);
		if (distance > (uint64_t)(cursor.end - cursor.at))
			return refuse(lsda, "types outside of it");
		lsda->types = cursor.vaddr + distance;
	}
	err = read_call_sites(lsda, &cursor);
	if (err)
		return err;
	read_all_actions(lsda);
	return add_types(lsda);
}

int image_read_lsdas(const struct image_source *source,
		     const struct image_addresses *lsdas,
		     struct image_sites *sites, struct image_verdict *verdict)
{
	const Elf64_Shdr *section = image_section(source, ".gcc_except_table");
	uint64_t budget;
	int err = 0;

	if (!lsdas->count)
		return 0;
	if (!section || section->sh_type == SHT_NOBITS ||
	    !image_is_text(source, section->sh_addr))
		return image_refuse(verdict, IMAGE_UNWIND,
				    "no table of exceptions where one is named");
	budget = 16 * section->sh_size;
	for (size_t i = 0; i < lsdas->count && !err; i++) {
		struct lsda lsda = {
			.source = source, .sites = sites, .verdict = verdict,
			.vaddr = lsdas->list[i], .budget = &budget,
		};

		if (lsda.vaddr - section->sh_addr >= section->sh_size)
			err = image_refuse(verdict, IMAGE_UNWIND,
					   "an exception table at %#lx, outside of its section",
					   lsda.vaddr);
		else
			err = read_lsda(&lsda, section);
	}
	return err;
}
