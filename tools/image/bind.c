// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Second stage: references to symbols, bound in advance.
 *
 * What a reference will find depends on the program.  Of a library that only
 * one program needs, it is what it finds in that program; of others, what it
 * finds if nothing comes before the library itself and all that it needs,
 * breadth first.  ld.so looks every symbol up as ever and writes what differs;
 * what is right stays unwritten, and its page shared.  So what is bound need not
 * be right, only hardly ever wrong; but nothing may be bound that ld.so does not
 * look up before the library runs.
 *
 * Left to ld.so: symbols of libraries that are not in the region, and of
 * programs that can be anywhere; indirect functions, whose address the
 * processor decides, and thread-local ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <json-c/linkhash.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"
#include "steps.h"

/* Not in the scope */
#define FAR		UINT32_MAX

/**
 * struct definition - a symbol that a library or a program defines
 * @name:    in its member's strings
 * @version: the same; "": none
 * @value:   its address, less the member's base
 * @next:    another of the same name, or NULL
 * @member:  whose
 * @hidden:  only references to this very version find it
 * @known:   @value is known
 * @stub:    only references that do not call it find it: the program has its
 *	     address in its code, and so it is there
 */
struct definition {
	const char *name;
	const char *version;
	uint64_t value;
	struct definition *next;
	uint32_t member;
	bool hidden;
	bool known;
	bool stub;
};

/**
 * struct member - a library or a program
 * @name:    that others need it by, in @strings; the path of a program
 * @strings: what all names here are in
 * @definitions: an array
 * @count:   how many
 * @needed:  names
 * @nneeded: how many
 * @base:    its address
 * @is_program: what it is
 */
struct member {
	const char *name;
	char *strings;
	struct definition *definitions;
	size_t count;
	const char **needed;
	size_t nneeded;
	uint64_t base;
	bool is_program;
};

/**
 * struct image_binder - libraries that refer to each other, and programs
 * @members: these
 * @count:   how many
 * @names:   a definition of each name
 * @is_indexed: @names and the arrays below are made
 * @ranks:   of each member in the scope of one, which comes first
 * @queue:   members in that order
 */
struct image_binder {
	struct member *members;
	size_t count;
	struct lh_table *names;
	bool is_indexed;
	uint32_t *ranks;
	uint32_t *queue;
};

struct image_binder *image_binder_new(void)
{
	elf_version(EV_CURRENT);
	return calloc(1, sizeof(struct image_binder));
}

static void forget_member(struct member *member)
{
	if (member->is_program)
		free((char *)member->name);
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

/* ---- members ----------------------------------------------------------- */

/* Whether the program, which is where it was linked, stands for it. */
static bool is_stub(const Elf64_Sym *symbol)
{
	return symbol->st_shndx == SHN_UNDEF && symbol->st_value;
}

/* As ld.so asks: whether others can find it */
static bool is_definition(const Elf64_Sym *symbol, bool is_program)
{
	unsigned char type = ELF64_ST_TYPE(symbol->st_info);

	if (ELF64_ST_BIND(symbol->st_info) == STB_LOCAL || !symbol->st_name ||
	    type == STT_SECTION || type == STT_FILE)
		return false;
	if (symbol->st_shndx == SHN_UNDEF)
		return is_program && is_stub(symbol);
	return symbol->st_value || symbol->st_shndx == SHN_ABS ||
	       type == STT_TLS;
}

static bool is_known(const Elf64_Sym *symbol)
{
	unsigned char type = ELF64_ST_TYPE(symbol->st_info);

	return symbol->st_shndx != SHN_ABS && type != STT_TLS &&
	       type != STT_GNU_IFUNC;
}

/* @fixed: the addresses of its symbols are known */
static void add_definitions(struct member *member, uint32_t number, bool fixed,
			    const struct image_symbols *symbols)
{
	for (size_t i = 1; i < symbols->count; i++) {
		struct definition *definition =
			&member->definitions[member->count];
		const Elf64_Sym *symbol = &symbols->list[i];

		if (!is_definition(symbol, member->is_program))
			continue;
		*definition = (struct definition) {
			.name = image_symbols_string(symbols, symbol->st_name),
			.value = symbol->st_value,
			.member = number,
			.known = fixed && is_known(symbol),
			.stub = is_stub(symbol),
		};
		definition->version = image_symbols_version(symbols, i,
							    &definition->hidden);
		member->count++;
	}
}

static int fill_member(struct member *member, uint32_t number, bool fixed,
		       struct image_symbols *symbols)
{
	member->definitions = calloc(symbols->count + 1,
				     sizeof(*member->definitions));
	member->needed = calloc(symbols->nneeded + 1, sizeof(*member->needed));
	if (!member->definitions || !member->needed)
		return -ENOMEM;
	memcpy(member->needed, symbols->needed,
	       symbols->nneeded * sizeof(*member->needed));
	member->nneeded = symbols->nneeded;
	add_definitions(member, number, fixed, symbols);
	member->strings = symbols->strings;
	symbols->strings = NULL;
	return 0;
}

/* @member belongs to the binder if that succeeds. */
static int add_member(struct image_binder *binder, struct member *member,
		      bool fixed, Elf *elf)
{
	struct member *more = reallocarray(binder->members, binder->count + 1,
					   sizeof(*more));
	struct image_symbols symbols;
	int err = image_symbols_open(elf, &symbols);

	if (more)
		binder->members = more;
	if (err)
		return err;
	if (!member->name)
		member->name = symbols.soname;
	err = more ? fill_member(member, (uint32_t)binder->count, fixed,
				 &symbols) : -ENOMEM;
	image_symbols_close(&symbols);
	if (err)
		return err;
	more[binder->count] = *member;
	return (int)binder->count++;
}

int image_binder_add(struct image_binder *binder,
		     const struct image_source *source, uint64_t base)
{
	struct member member = { .base = base };
	int number = add_member(binder, &member, true,
				elf_memory((char *)source->bytes, source->size));

	if (number < 0)
		forget_member(&member);
	return number;
}

static int read_program(struct image_binder *binder, const char *path, int fd)
{
	struct member member = { .name = strdup(path), .is_program = true };
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	GElf_Ehdr header;
	int number = -ENOMEM;

	if (!elf || !gelf_getehdr(elf, &header) ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_machine != EM_X86_64) {
		elf_end(elf);
		number = -ENOEXEC;
	} else if (member.name) {
		number = add_member(binder, &member, header.e_type == ET_EXEC,
				    elf);
	}
	if (number < 0)
		forget_member(&member);
	return number;
}

int image_binder_add_program(struct image_binder *binder, const char *path)
{
	int fd, number;

	for (size_t i = 0; i < binder->count; i++)
		if (binder->members[i].is_program &&
		    !strcmp(binder->members[i].name, path))
			return (int)i;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	number = read_program(binder, path, fd);
	close(fd);
	return number;
}

/* ---- the index --------------------------------------------------------- */

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

	if (binder->is_indexed)
		return 0;
	for (size_t i = 0; i < binder->count; i++)
		symbols += binder->members[i].count;
	if (symbols > INT_MAX / 4 || binder->names)
		return -ENOMEM;
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
	binder->is_indexed = !err;
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
	for (uint32_t i = 0; *name && i < binder->count; i++)
		if (!strcmp(binder->members[i].name, name)) {
			enqueue(binder, i, count);
			return;
		}
}

/* All that those in the queue need, from @next on, and what that needs... */
static void enqueue_needed(struct image_binder *binder, uint32_t next,
			   uint32_t *count)
{
	for (; next < *count; next++) {
		const struct member *member =
			&binder->members[binder->queue[next]];

		for (size_t i = 0; i < member->nneeded; i++)
			enqueue_name(binder, member->needed[i], count);
	}
}

/* Breadth first, as ld.so: the program's, then the library's, if it is opened */
static void rank_scope(struct image_binder *binder, uint32_t library, int program)
{
	uint32_t count = 0, before;

	memset(binder->ranks, 0xff, binder->count * sizeof(*binder->ranks));
	if (program >= 0)
		enqueue(binder, (uint32_t)program, &count);
	enqueue_needed(binder, 0, &count);
	before = count;
	enqueue(binder, library, &count);
	enqueue_needed(binder, before, &count);
}

static bool matches(const struct definition *definition, const char *version)
{
	if (*version && *definition->version)
		return !strcmp(version, definition->version);
	return !definition->hidden;
}

static const struct definition *find(struct image_binder *binder,
				     const char *name, const char *version,
				     bool is_call)
{
	const struct definition *best = NULL, *one;
	void *found;

	if (!lh_table_lookup_ex(binder->names, name, &found))
		return NULL;
	for (one = found; one; one = one->next) {
		uint32_t rank = binder->ranks[one->member];

		if (rank != FAR && matches(one, version) &&
		    !(one->stub && is_call) &&
		    (!best || rank < binder->ranks[best->member]))
			best = one;
	}
	return best;
}

/**
 * struct found - what references to one symbol find
 * @asked:	whether that is known
 * @definition: the definition, or NULL
 */
struct found {
	bool asked;
	const struct definition *definition;
};

/**
 * struct binding - image_bind() at work
 * @found: for each symbol of the library, what data finds, then what calls find
 */
struct binding {
	struct image_binder *binder;
	const struct image_source *source;
	const struct image_symbols *symbols;
	struct image_data *data;
	struct found *found;
};

static const struct definition *find_symbol(struct binding *binding, size_t index,
					    bool is_call)
{
	const struct image_symbols *symbols = binding->symbols;
	struct found *found = &binding->found[2 * index + is_call];
	const char *version;
	bool hidden;

	if (!found->asked) {
		version = image_symbols_version(symbols, index, &hidden);
		found->definition =
			find(binding->binder,
			     image_symbols_string(symbols,
						  symbols->list[index].st_name),
			     version, is_call);
		found->asked = true;
	}
	return found->definition;
}

static void bind_one(struct binding *binding, const Elf64_Rela *rela)
{
	unsigned char *word = image_data_word(binding->data, rela->r_offset);
	size_t symbol = ELF64_R_SYM(rela->r_info);
	const struct definition *found;
	uint64_t value;

	if (!word || !symbol || symbol >= binding->symbols->count)
		return;
	found = find_symbol(binding, symbol,
			    ELF64_R_TYPE(rela->r_info) == R_X86_64_JUMP_SLOT);
	if (!found || !found->known)
		return;
	value = binding->binder->members[found->member].base + found->value;
	if (ELF64_R_TYPE(rela->r_info) == R_X86_64_64)
		value += (uint64_t)rela->r_addend;
	memcpy(word, &value, sizeof(value));
}

static void bind_data(struct binding *binding)
{
	const struct image_table *table = &binding->source->rela;
	const Elf64_Rela *rela = image_rows(binding->source, table);

	for (size_t i = 0; i < table->count; i++)
		switch (ELF64_R_TYPE(rela[i].r_info)) {
		case R_X86_64_64:
		case R_X86_64_GLOB_DAT:
			bind_one(binding, &rela[i]);
		}
}

/*
 * Only if ld.so does not leave them to the first call: then it would take the
 * words for relocated ones (relocate.c), and look nothing up.
 */
static void bind_calls(struct binding *binding)
{
	const struct image_table *table = &binding->source->jmprel;
	const Elf64_Rela *rela = image_rows(binding->source, table);

	for (size_t i = 0; i < table->count && binding->source->binds_now; i++)
		if (ELF64_R_TYPE(rela[i].r_info) == R_X86_64_JUMP_SLOT)
			bind_one(binding, &rela[i]);
}

int image_bind(struct image_binder *binder, int library, int program,
	       const struct image_source *source, struct image_data *data)
{
	struct image_symbols symbols;
	struct binding binding = {
		.binder = binder, .source = source, .symbols = &symbols,
		.data = data,
	};
	int err = make_index(binder);

	if (!err)
		err = image_symbols_open(elf_memory((char *)source->bytes,
						    source->size), &symbols);
	if (err)
		return err;
	rank_scope(binder, (uint32_t)library, program);
	binding.found = calloc(symbols.count + 1, 2 * sizeof(*binding.found));
	if (binding.found) {
		bind_data(&binding);
		bind_calls(&binding);
	}
	err = binding.found ? 0 : -ENOMEM;
	free(binding.found);
	image_symbols_close(&symbols);
	return err;
}
