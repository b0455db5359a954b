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

/** struct teller - the process itself */
struct teller {
	const struct image_source *source;
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

static void tell_all(struct teller *teller, const char *path)
{
	const struct image_source *source = teller->source;
	struct link_map *map;
	void *handle;

	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle || dlinfo(handle, RTLD_DI_LINKMAP, &map)) {
		strncpy(teller->story->error, dlerror(),
			sizeof(teller->story->error) - 1);
		return;
	}
	teller->base = map->l_addr;
	for (uint64_t at = mshare_round_up(source->data_start, 8);
	     at + 8 <= source->data_end; at += 8)
		tell(teller, linked(teller, at, *(const uint64_t *)(teller->base +
								     at)));
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

static struct story *listen_to(const struct image_source *source,
			       const char *path, size_t size, int *err)
{
	struct story *story = mmap(NULL, size, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct teller teller = { .source = source, .story = story };
	int status;
	pid_t pid;

	*err = 0;
	if (story == MAP_FAILED) {
		*err = -ENOMEM;
		return NULL;
	}
	pid = fork();
	if (!pid)
		be_teller(&teller, path);
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		*err = -errno;
		munmap(story, size);
		return NULL;
	}
	return story;
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
	      struct image_verdict *verdict)
{
	size_t words = (original->data_end - original->data_start) / 8 +
		       original->dynsym.count + 1;
	size_t size = sizeof(struct story) + words * sizeof(struct word);
	struct story *stories[3] = { NULL };
	int result = 0;

	if (is_ours(original)) {
		image_refuse(verdict, IMAGE_NOT_SHAREABLE,
			     "this program itself uses the library");
		return IMAGE_RUN_IMPOSSIBLE;
	}
	stories[0] = listen_to(original, path, size, &result);
	if (!result)
		stories[1] = listen_to(original, path, size, &result);
	if (!result)
		stories[2] = listen_to(image, image_path, size, &result);
	if (!result)
		result = compare(stories[0], stories[1], stories[2], verdict);
	for (size_t i = 0; i < 3; i++)
		if (stories[i])
			munmap(stories[i], size);
	return result;
}
