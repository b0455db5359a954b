// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Compare an image with its original, as a loader makes of them.
 *
 * A far-data file is an ordinary library to a stock ld.so: each of the two is
 * loaded in a process of its own, which tells every word of the data after
 * constructors, and where each export is, in words that do not depend on
 * addresses.  What differs between two processes with the original (time, random
 * numbers) is not compared.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "steps.h"

#define RUN_SECONDS	30
#define NOBODY		65534

/** enum said - how a word is told */
enum said {
	SAID_VALUE,		/* as it is */
	SAID_TEXT,		/* as an offset into the library's text */
	SAID_DATA,		/* as an offset into its data */
	SAID_OBJECT,		/* as an offset into another library */
	SAID_ELSEWHERE,		/* not: heap, stack, or just a large number */
};

/** struct word - one word of the data, or one export's address */
struct word {
	uint64_t said;
	uint64_t value;
};

/** struct story - what a process has to tell, in memory it shares with us */
struct story {
	size_t count;
	bool done;
	char error[200];
	struct word words[];
};

/**
 * struct teller - the process itself
 * @source: what it loads
 * @sites:  of the library
 * @by:     how far @source's data is from that of the library
 * @base:   where it is loaded
 * @story:  what it tells
 */
struct teller {
	const struct image_source *source;
	const struct image_sites *sites;
	uint64_t by;
	uint64_t base;
	struct story *story;
};

/* Above this, numbers are addresses; flags, sizes and characters are below. */
#define ADDRESSES	(1UL << 32)

static int find_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct word *word = arg;

	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type == PT_LOAD &&
		    word->value - info->dlpi_addr - ph->p_vaddr < ph->p_memsz) {
			word->said = SAID_OBJECT;
			word->value -= info->dlpi_addr;
			return 1;
		}
	}
	return 0;
}

/* The dynamic section, and the GOT's first word, have linked addresses. */
static uint64_t linked(const struct teller *teller, uint64_t at, uint64_t value)
{
	const struct image_source *source = teller->source;
	struct image_span dynamic = image_table_span(&source->dynamic, 16);
	bool is_linked = (at >= dynamic.start && at < dynamic.end) ||
			 value == source->dynamic.at;

	return is_linked && image_is_data(source, value) ?
		       teller->base + value : value;
}

static const struct image_site *jump_at(const struct teller *teller,
					uint64_t place)
{
	const struct image_site *site = image_sites_at(teller->sites,
						       place - teller->by);

	return site && site->kind == IMAGE_SITE_JUMP ? site : NULL;
}

/* Words of jump tables become offsets into the text, in each half of a word. */
static uint64_t counted_from_text(const struct teller *teller, uint64_t at,
				  uint64_t value)
{
	uint32_t halves[2];

	memcpy(halves, &value, sizeof(halves));
	for (size_t i = 0; i < 2; i++) {
		const struct image_site *site = jump_at(teller, at + 4 * i);

		if (site)
			halves[i] += (uint32_t)(site->origin + teller->by -
						teller->source->shape.text_vaddr);
	}
	memcpy(&value, halves, sizeof(halves));
	return value;
}

static void tell(struct teller *teller, uint64_t value)
{
	const struct image_source *source = teller->source;
	struct word *word = &teller->story->words[teller->story->count++];
	uint64_t vaddr = value - teller->base;

	*word = (struct word) { SAID_VALUE, value };
	if (value < ADDRESSES)
		return;
	if (image_is_text(source, vaddr)) {
		*word = (struct word) { SAID_TEXT,
					vaddr - source->shape.text_vaddr };
	} else if (image_is_data(source, vaddr)) {
		*word = (struct word) { SAID_DATA, vaddr - source->data_start };
	} else if (!dl_iterate_phdr(find_object, word) && value < 1UL << 47) {
		*word = (struct word) { SAID_ELSEWHERE, 0 };
	}
}

static void tell_exports(struct teller *teller, void *handle)
{
	const struct image_source *source = teller->source;
	const Elf64_Sym *symbols = image_rows(source, &source->dynsym);
	const Elf64_Shdr *names = image_section(source, ".dynstr");

	for (size_t i = 1; i < source->dynsym.count && names; i++) {
		unsigned char type = ELF64_ST_TYPE(symbols[i].st_info);

		if (symbols[i].st_shndx == SHN_UNDEF ||
		    symbols[i].st_name >= names->sh_size ||
		    (type != STT_FUNC && type != STT_OBJECT &&
		     type != STT_GNU_IFUNC))
			continue;
		tell(teller, (uint64_t)dlsym(handle,
					     (char *)source->bytes +
					     names->sh_offset +
					     symbols[i].st_name));
	}
}

static void tell_data(struct teller *teller)
{
	const struct image_source *source = teller->source;

	for (uint64_t at = mshare_round_up(source->data_start, 8);
	     at + 8 <= source->data_end; at += 8) {
		uint64_t word = *(const uint64_t *)(teller->base + at);

		word = counted_from_text(teller, at, word);
		tell(teller, linked(teller, at, word));
	}
}

static void tell_all(struct teller *teller, const char *path)
{
	struct link_map *map;
	void *handle;

	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle || dlinfo(handle, RTLD_DI_LINKMAP, &map)) {
		strncpy(teller->story->error, dlerror(),
			sizeof(teller->story->error) - 1);
		return;
	}
	teller->base = map->l_addr;
	tell_data(teller);
	tell_exports(teller, handle);
	teller->story->done = true;
}

/* Does not return.  Whatever constructors do, they do it to nobody. */
static void be_teller(struct teller *teller, const char *path)
{
	int null = open("/dev/null", O_RDWR);

	if (!geteuid() && (setgid(NOBODY) || setuid(NOBODY)))
		_exit(1);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    dup2(null, 2) < 0)
		_exit(1);
	alarm(RUN_SECONDS);
	tell_all(teller, path);
	_exit(0);
}

static int listen_to(struct teller *teller, const char *path, size_t size)
{
	int status;
	pid_t pid;

	teller->story = mmap(NULL, size, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (teller->story == MAP_FAILED) {
		teller->story = NULL;
		return -ENOMEM;
	}
	pid = fork();
	if (!pid)
		be_teller(teller, path);
	return pid < 0 || waitpid(pid, &status, 0) != pid ? -errno : 0;
}

static int compare(const struct story *a, const struct story *again,
		   const struct story *b, struct image_verdict *verdict)
{
	if (!a->done || !again->done) {
		image_refuse(verdict, IMAGE_NOT_SHAREABLE,
			     "cannot be loaded by itself: %s",
			     *a->error ? a->error : "its constructors fail");
		return IMAGE_RUN_IMPOSSIBLE;
	}
	if (!b->done || a->count != b->count) {
		image_refuse(verdict, IMAGE_DAMAGED, "the image does not load: %s",
			     b->error);
		return IMAGE_RUN_DIFFERENT;
	}
	for (size_t i = 0; i < a->count; i++) {
		if (memcmp(&a->words[i], &again->words[i], sizeof(*a->words)) ||
		    !memcmp(&a->words[i], &b->words[i], sizeof(*a->words)))
			continue;
		image_refuse(verdict, IMAGE_DAMAGED,
			     "word %zu of data and exports is %#lx, in the image %#lx",
			     i, a->words[i].value, b->words[i].value);
		return IMAGE_RUN_DIFFERENT;
	}
	return IMAGE_RUN_EQUAL;
}

/* ld.so would not load a second one next to our own. */
static bool is_ours(const struct image_source *source)
{
	void *handle;

	if (!*source->soname)
		return false;
	handle = dlopen(source->soname, RTLD_LAZY | RTLD_NOLOAD);
	if (handle)
		dlclose(handle);
	return handle;
}

int image_run(const struct image_source *original, const char *path,
	      const struct image_source *image, const char *image_path,
	      const struct image_references *references,
	      struct image_verdict *verdict)
{
	size_t words = (original->data_end - original->data_start) / 8 +
		       original->dynsym.count + 1;
	size_t size = sizeof(struct story) + words * sizeof(struct word);
	struct teller tellers[] = {
		{ .source = original, .sites = &references->sites },
		{ .source = original, .sites = &references->sites },
		{ .source = image, .sites = &references->sites,
		  .by = image->data_start - original->data_start },
	};
	const char *paths[] = { path, path, image_path };
	int result = 0;

	if (is_ours(original)) {
		image_refuse(verdict, IMAGE_NOT_SHAREABLE,
			     "this program itself uses the library");
		return IMAGE_RUN_IMPOSSIBLE;
	}
	for (size_t i = 0; i < 3 && !result; i++)
		result = listen_to(&tellers[i], paths[i], size);
	if (!result)
		result = compare(tellers[0].story, tellers[1].story,
				 tellers[2].story, verdict);
	for (size_t i = 0; i < 3; i++)
		if (tellers[i].story)
			munmap(tellers[i].story, size);
	return result;
}
