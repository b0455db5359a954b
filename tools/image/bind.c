// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Second stage: references to symbols, bound in advance.
 *
 * What a reference will find depends on the program: here it is what it finds
 * if nothing comes before the library itself and all that it needs, breadth
 * first.  ld.so looks every symbol up as ever and writes what differs; what is
 * right stays unwritten, and its page shared.  So nothing here has to be right,
 * only hardly ever wrong.
 *
 * Left to ld.so: symbols of libraries that are not in the region, indirect
 * functions, whose address the processor decides, and thread-local ones.
 */
#include <errno.h>
#include <json-c/linkhash.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "steps.h"

/* Not in the scope */
#define FAR		UINT32_MAX

/**
 * struct definition - a symbol that a library defines
 * @name:    in its library's strings
 * @version: the same; "": none
 * @value:   linked address
 * @next:    another of the same name, or NULL
 * @library: which
 * @hidden:  only for references to this very version
 * @known:   @value is its address, less the library's
 */
struct definition {
	const char *name;
	const char *version;
	uint64_t value;
	struct definition *next;
	uint32_t library;
	bool hidden;
	bool known;
};

/**
 * struct member - a library
 * @name:    that others need it by, in @strings
 * @strings: a copy of its dynamic strings
 * @definitions: an array
 * @count:   how many
 * @needed:  names, in @strings
 * @nneeded: how many
 * @base:    its address
 */
struct member {
	const char *name;
	char *strings;
	struct definition *definitions;
	size_t count;
	const char **needed;
	size_t nneeded;
	uint64_t base;
};

/**
 * struct image_binder - libraries that refer to each other
 * @members: the libraries
 * @count:   how many
 * @names:   a definition of each name; NULL: the index is not made
 * @ranks:   of each member in the scope of one, which comes first
 * @queue:   members in that order
 */
struct image_binder {
	struct member *members;
	size_t count;
	struct lh_table *names;
	uint32_t *ranks;
	uint32_t *queue;
};

/* ---- libraries --------------------------------------------------------- */

struct image_binder *image_binder_new(void)
{
	return calloc(1, sizeof(struct image_binder));
}

static void forget_member(struct member *member)
{
	free(member->strings);
	free(member->definitions);
	free(member->needed);
}

void image_binder_free(struct image_binder *binder)
{
	if (!binder)
		return;
	if (binder->names)
		lh_table_free(binder->names);
	for (size_t i = 0; i < binder->count; i++)
		forget_member(&binder->members[i]);
	free(binder->members);
	free(binder->ranks);
	free(binder->queue);
	free(binder);
}

/* As ld.so asks: whether others can find it */
static bool is_definition(const Elf64_Sym *symbol)
{
	unsigned char type = ELF64_ST_TYPE(symbol->st_info);

	return ELF64_ST_BIND(symbol->st_info) != STB_LOCAL &&
	       symbol->st_shndx != SHN_UNDEF && symbol->st_name &&
	       (symbol->st_value || symbol->st_shndx == SHN_ABS ||
		type == STT_TLS) &&
	       type != STT_SECTION && type != STT_FILE;
}

static bool is_known(const Elf64_Sym *symbol)
{
	unsigned char type = ELF64_ST_TYPE(symbol->st_info);

	return symbol->st_shndx != SHN_ABS && type != STT_TLS &&
	       type != STT_GNU_IFUNC;
}

static void add_definitions(struct image_binder *binder, struct member *member,
			    const struct image_source *source,
			    const struct image_symbols *names)
{
	const Elf64_Sym *symbols = image_rows(source, &source->dynsym);

	for (size_t i = 1; i < source->dynsym.count; i++) {
		struct definition *definition =
			&member->definitions[member->count];

		if (!is_definition(&symbols[i]))
			continue;
		*definition = (struct definition) {
			.name = image_symbols_string(names, symbols[i].st_name),
			.value = symbols[i].st_value,
			.library = (uint32_t)(member - binder->members),
			.known = is_known(&symbols[i]),
		};
		definition->version = image_symbols_version(names, i, &definition->hidden);
		member->count++;
	}
}

static void add_needed(struct member *member, const struct image_source *source,
		       const struct image_symbols *names)
{
	const Elf64_Dyn *dynamic = image_rows(source, &source->dynamic);

	for (size_t i = 0; i < source->dynamic.count; i++)
		if (dynamic[i].d_tag == DT_NEEDED)
			member->needed[member->nneeded++] =
				image_symbols_string(names, dynamic[i].d_un.d_val);
}

static int fill_member(struct image_binder *binder, struct member *member,
		       const struct image_source *source)
{
	struct image_symbols names;
	int err;

	member->strings = malloc(source->strings.count + 1);
	member->definitions = calloc(source->dynsym.count + 1,
				     sizeof(*member->definitions));
	member->needed = calloc(source->dynamic.count + 1,
				sizeof(*member->needed));
	if (!member->strings || !member->definitions || !member->needed)
		return -ENOMEM;
	memcpy(member->strings, image_rows(source, &source->strings),
	       source->strings.count);
	err = image_symbols_open(source, member->strings, &names);
	if (err)
		return err;
	add_definitions(binder, member, source, &names);
	add_needed(member, source, &names);
	/* The name lies in the strings, which are copied. */
	member->name = *source->soname ?
			       member->strings + (source->soname -
						  (char *)image_rows(source,
								     &source->strings)) :
			       "";
	image_symbols_close(&names);
	return 0;
}

int image_binder_add(struct image_binder *binder,
		     const struct image_source *source, uint64_t base)
{
	struct member *more = reallocarray(binder->members, binder->count + 1,
					   sizeof(*more));
	struct member *member;
	int err;

	if (!more)
		return -ENOMEM;
	binder->members = more;
	member = &more[binder->count];
	*member = (struct member) { .base = base };
	err = fill_member(binder, member, source);
	if (err) {
		forget_member(member);
		return err;
	}
	return (int)binder->count++;
}

static int index_definition(struct image_binder *binder,
			    struct definition *definition)
{
	unsigned long hash = lh_get_hash(binder->names, definition->name);
	struct lh_entry *entry = lh_table_lookup_entry_w_hash(
		binder->names, definition->name, hash);
	struct definition *first;

	if (!entry)
		return lh_table_insert_w_hash(binder->names, definition->name,
					      definition, hash, 0) ? -ENOMEM : 0;
	first = lh_entry_v(entry);
	definition->next = first->next;
	first->next = definition;
	return 0;
}

static int make_index(struct image_binder *binder)
{
	size_t symbols = 0;
	int err = 0;

	if (binder->names)
		return 0;
	for (size_t i = 0; i < binder->count; i++)
		symbols += binder->members[i].count;
	binder->ranks = calloc(binder->count, sizeof(*binder->ranks));
	binder->queue = calloc(binder->count, sizeof(*binder->queue));
	/* It grows if it is two thirds full. */
	binder->names = lh_kchar_table_new((int)(2 * symbols + 1), NULL);
	if (!binder->ranks || !binder->queue || !binder->names)
		return -ENOMEM;
	for (size_t i = 0; i < binder->count && !err; i++)
		for (size_t j = 0; j < binder->members[i].count && !err; j++)
			err = index_definition(binder,
					       &binder->members[i].definitions[j]);
	return err;
}

/* ---- what finds what --------------------------------------------------- */

static void enqueue(struct image_binder *binder, uint32_t member, uint32_t *count)
{
	if (binder->ranks[member] != FAR)
		return;
	binder->ranks[member] = *count;
	binder->queue[(*count)++] = member;
}

static void enqueue_name(struct image_binder *binder, const char *name,
			 uint32_t *count)
{
	for (uint32_t i = 0; i < binder->count; i++)
		if (!strcmp(binder->members[i].name, name)) {
			enqueue(binder, i, count);
			return;
		}
}

/* The library, what it needs, what that needs...: breadth first, as ld.so */
static void rank_scope(struct image_binder *binder, uint32_t library)
{
	uint32_t count = 0;

	memset(binder->ranks, 0xff, binder->count * sizeof(*binder->ranks));
	enqueue(binder, library, &count);
	for (uint32_t next = 0; next < count; next++) {
		const struct member *member =
			&binder->members[binder->queue[next]];

		for (size_t i = 0; i < member->nneeded; i++)
			enqueue_name(binder, member->needed[i], &count);
	}
}

static bool matches(const struct definition *definition, const char *version)
{
	if (*version && *definition->version)
		return !strcmp(version, definition->version);
	return !definition->hidden;
}

static const struct definition *find(struct image_binder *binder,
				     const char *name, const char *version)
{
	const struct definition *best = NULL, *one;
	void *found;

	if (!lh_table_lookup_ex(binder->names, name, &found))
		return NULL;
	for (one = found; one; one = one->next)
		if (binder->ranks[one->library] != FAR && matches(one, version) &&
		    (!best || binder->ranks[one->library] <
				      binder->ranks[best->library]))
			best = one;
	return best;
}

/**
 * struct binding - image_bind() at work
 * @found: what each symbol of the library finds; itself nothing
 * @asked: whether that is known
 */
struct binding {
	struct image_binder *binder;
	const struct image_source *source;
	const struct image_symbols *names;
	struct image_data *data;
	const struct definition **found;
	bool *asked;
};

static const struct definition *find_symbol(struct binding *binding, size_t index)
{
	const Elf64_Sym *symbols =
		image_rows(binding->source, &binding->source->dynsym);
	const char *version;
	bool hidden;

	if (!binding->asked[index]) {
		version = image_symbols_version(binding->names, index, &hidden);
		binding->found[index] =
			find(binding->binder,
			     image_symbols_string(binding->names, symbols[index].st_name),
			     version);
		binding->asked[index] = true;
	}
	return binding->found[index];
}

static void bind_one(struct binding *binding, const Elf64_Rela *rela)
{
	size_t symbol = ELF64_R_SYM(rela->r_info);
	const struct definition *found;
	unsigned char *word = image_data_word(binding->data, rela->r_offset);
	uint64_t value;

	if (!word || !symbol || symbol >= binding->source->dynsym.count)
		return;
	found = find_symbol(binding, symbol);
	if (!found || !found->known)
		return;
	value = binding->binder->members[found->library].base + found->value;
	if (ELF64_R_TYPE(rela->r_info) == R_X86_64_64)
		value += (uint64_t)rela->r_addend;
	memcpy(word, &value, sizeof(value));
	binding->data->bound++;
}

static void bind_table(struct binding *binding, const struct image_table *table)
{
	const Elf64_Rela *rela = image_rows(binding->source, table);

	for (size_t i = 0; i < table->count; i++)
		switch (ELF64_R_TYPE(rela[i].r_info)) {
		case R_X86_64_64:
		case R_X86_64_GLOB_DAT:
		case R_X86_64_JUMP_SLOT:
			bind_one(binding, &rela[i]);
		}
}

static int bind_all(struct binding *binding)
{
	const struct image_source *source = binding->source;

	binding->found = calloc(source->dynsym.count + 1,
				sizeof(struct definition *));
	binding->asked = calloc(source->dynsym.count + 1, sizeof(bool));
	if (!binding->found || !binding->asked)
		return -ENOMEM;
	bind_table(binding, &source->rela);
	/* Else these are bound when they are first called: relocate.c. */
	if (source->binds_now)
		bind_table(binding, &source->jmprel);
	return 0;
}

int image_bind(struct image_binder *binder, int library,
	       const struct image_source *source, struct image_data *data)
{
	struct image_symbols names;
	struct binding binding = {
		.binder = binder, .source = source, .names = &names,
		.data = data,
	};
	int err = make_index(binder);

	if (!err)
		err = image_symbols_open(source,
					 image_rows(source, &source->strings),
					 &names);
	if (err)
		return err;
	rank_scope(binder, (uint32_t)library);
	err = bind_all(&binding);
	free(binding.found);
	free(binding.asked);
	image_symbols_close(&names);
	return err;
}
