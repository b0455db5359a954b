// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Damaged and hostile libraries: an error, never a crash, a hang or a wrong
 * image.  A damaged library may well be split; what then is not right must be
 * found by the check that each image passes before it is written, and there is
 * little of it: other checks refuse first.  Runs under ASan and UBSan, which
 * end the program at the first wrong access.
 *
 *	hostile --rounds N --seed N FILE...	FILEs damaged at random
 *	hostile --once FILE...			FILEs as they are
 *
 * With HOSTILE_KEEP=DIRECTORY in the environment, each file that gave a wrong
 * image is kept there.  With -DLIBFUZZER it is a target for clang's
 * -fsanitize=fuzzer: see README.md.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "image.h"
#include "report.h"
#include "steps.h"

#define SECONDS_MAX	120	/* for one file: not a time, a hang */

/**
 * struct outcome - what became of all files
 * @refused:	 by the rules
 * @split:	 by the rules
 * @unexplained: refused without a reason
 * @late:	 split, but refused when the image was compared
 * @wrong:	 not refused at all, and not the original when it is decoded
 */
struct outcome {
	unsigned long refused;
	unsigned long split;
	unsigned long unexplained;
	unsigned long late;
	unsigned long wrong;
};

static unsigned char *copy_of(const unsigned char *bytes, size_t size)
{
	unsigned char *copy = malloc(size + 1);

	if (!copy)
		abort();
	memcpy(copy, bytes, size);
	return copy;
}

/* What is done with an image when a region goes live */
static void relocate_and_bind(const struct image_source *source)
{
	const uint64_t base = 0x7f8000000000;
	struct image_binder *binder = image_binder_new();
	struct image_data data;
	int library;

	if (!binder || image_relocate(source, base, &data)) {
		image_binder_free(binder);
		return;
	}
	library = image_binder_add(binder, source, base);
	if (library >= 0)
		image_bind(binder, library, -1, source, &data);
	free(data.bytes);
	image_binder_free(binder);
}

/* The image would be written: decode all of it. */
static bool is_right(const struct image_source *source,
		     const struct image_file *file)
{
	struct image_references references = { 0 };
	struct image_verdict verdict = { 0 };
	struct image_source image;
	struct image_note note;
	int err = image_read_bytes(copy_of(file->bytes, file->size), file->size,
				   &image, &verdict);

	if (!err)
		err = image_read_note(&image, &note, &verdict);
	if (!err)
		err = image_verify(source, &image, &note, &references,
				   &verdict);
	image_references_free(&references);
	image_forget(&image);
	if (err)
		printf("not right: %s\n", verdict.why);
	relocate_and_bind(source);
	return !err;
}

static int build(const struct image_source *source,
		 const struct image_references *references,
		 struct image_file *file, struct image_verdict *verdict)
{
	struct image_index index = { .lock = -1 };
	struct image_identity identity = { .path = "/lib/hostile.so" };
	struct image_place place;

	if (image_index_place(&index, identity.path, source, &place))
		return image_refuse(verdict, IMAGE_TOO_FAR, "too large");
	return image_compose(source, references, &place, &identity, file,
			     verdict);
}

/* For the corpus: what once gave a wrong image */
static void keep(const unsigned char *bytes, size_t size, unsigned long number)
{
	const char *directory = getenv("HOSTILE_KEEP");
	char path[4096];
	FILE *file;

	if (!directory)
		return;
	snprintf(path, sizeof(path), "%s/wrong-%d-%lu", directory,
		 (int)getpid(), number);
	file = fopen(path, "w");
	if (file) {
		fwrite(bytes, 1, size, file);
		fclose(file);
	}
}

static void try_file(const unsigned char *bytes, size_t size,
		     struct outcome *outcome)
{
	struct image_references references = { 0 };
	struct image_verdict verdict = { 0 };
	struct image_file file = { 0 };
	struct image_source source;
	struct image_note note;
	int err = image_read_bytes(copy_of(bytes, size), size, &source,
				   &verdict);

	if (!err) {
		image_read_note(&source, &note, &verdict);
		verdict = (struct image_verdict) { 0 };
		err = image_decide(&source, IMAGE_OVERRIDE_NONE, &references,
				   &verdict) == IMAGE_SPLIT ? 0 : -1;
	}
	if (!err)
		err = build(&source, &references, &file, &verdict);
	if (err) {
		outcome->refused++;
		outcome->unexplained += !*verdict.why;
	} else {
		outcome->split++;
		if (image_check(&source, &references, &file, &verdict))
			outcome->late++;
		else if (!is_right(&source, &file))
			keep(bytes, size, outcome->wrong++);
	}
	free(file.bytes);
	image_references_free(&references);
	image_forget(&source);
}

#ifdef LIBFUZZER
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size)
{
	struct outcome outcome = { 0 };

	try_file(bytes, size, &outcome);
	if (outcome.wrong)
		abort();
	return 0;
}
#else

/** struct victim - a file to be damaged */
struct victim {
	const unsigned char *bytes;
	size_t size;
	uint64_t random;
};

static uint64_t draw(struct victim *victim)
{
	uint64_t x = victim->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return victim->random = x;
}

/* Where the numbers are that are worth damaging */
static size_t choose_place(struct victim *victim)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)victim->bytes;
	const Elf64_Shdr *section;

	switch (draw(victim) % 8) {
	case 0:
		return draw(victim) % sizeof(*header);
	case 1:
	case 2:
		return header->e_phoff +
		       draw(victim) % (header->e_phnum * sizeof(Elf64_Phdr));
	case 3:
		return header->e_shoff +
		       draw(victim) % (header->e_shnum * sizeof(Elf64_Shdr));
	case 4:
		return draw(victim) % victim->size;
	default:
		section = (const Elf64_Shdr *)(victim->bytes + header->e_shoff) +
			  draw(victim) % header->e_shnum;
		if (section->sh_type == SHT_NOBITS || !section->sh_size)
			return draw(victim) % victim->size;
		return section->sh_offset + draw(victim) % section->sh_size;
	}
}

static void damage(struct victim *victim, unsigned char *bytes)
{
	static const uint64_t extremes[] = {
		0, 1, 2, 7, 8, 0xff, 0xfff, 0x1000, 0x7fffffff, 0x80000000,
		0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000,
		0xfffffffffffff000, 0xffffffffffffffff,
	};
	size_t at = choose_place(victim) % victim->size;
	size_t width = 1UL << draw(victim) % 4;
	uint64_t value = draw(victim);

	switch (draw(victim) % 4) {
	case 0:
		bytes[at] ^= (unsigned char)(1 << draw(victim) % 8);
		return;
	case 1:
		value = extremes[value % (sizeof(extremes) / sizeof(*extremes))];
		break;
	case 2:
		value %= 2 * victim->size;
		break;
	}
	at &= ~(width - 1);
	if (at + width <= victim->size)
		memcpy(bytes + at, &value, width);
}

static void damage_and_try(struct victim *victim, struct outcome *outcome)
{
	unsigned char *bytes = copy_of(victim->bytes, victim->size);
	size_t size = victim->size;

	for (uint64_t i = draw(victim) % 4; i < 4; i++)
		damage(victim, bytes);
	if (draw(victim) % 16 == 0)
		size = draw(victim) % size;
	alarm(SECONDS_MAX);
	try_file(bytes, size, outcome);
	alarm(0);
	free(bytes);
}

static unsigned char *read_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY);
	unsigned char *bytes;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return NULL;
	*size = (size_t)st.st_size;
	bytes = malloc(*size + 1);
	if (bytes && read(fd, bytes, *size) != (ssize_t)*size) {
		free(bytes);
		bytes = NULL;
	}
	close(fd);
	return bytes;
}

static bool use_file(const char *path, unsigned long rounds, uint64_t seed,
		     struct outcome *outcome)
{
	struct victim victim = { .random = seed | 1UL << 63 };
	unsigned char *bytes = read_file(path, &victim.size);

	if (!bytes)
		return false;
	victim.bytes = bytes;
	if (!rounds) {
		alarm(SECONDS_MAX);
		try_file(bytes, victim.size, outcome);
		alarm(0);
	}
	for (unsigned long i = 0; i < rounds; i++)
		damage_and_try(&victim, outcome);
	free(bytes);
	return true;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "seed", required_argument, NULL, 's' },
		{ "once", no_argument, NULL, 'o' },
		{ 0 }
	};
	unsigned long rounds = 1000;
	uint64_t seed = 1;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'r')
			rounds = strtoul(optarg, NULL, 10);
		else if (option == 's')
			seed = strtoul(optarg, NULL, 10);
		else if (option == 'o')
			rounds = 0;
		else
			return 2;
	}
	for (; optind < argc; optind++) {
		const char *slash = strrchr(argv[optind], '/');
		const char *name = slash ? slash + 1 : argv[optind];
		struct outcome outcome = { 0 };

		if (!use_file(argv[optind], rounds, seed, &outcome)) {
			check(false, "%s can be read", name);
			continue;
		}
		printf("%s: %lu refused, %lu split, %lu of them not written\n",
		       name, outcome.refused, outcome.split, outcome.late);
		check_eq(outcome.unexplained, 0, "%s: each refusal has a reason",
			 name);
		if (rounds)
			check(outcome.refused && outcome.late <= rounds / 500,
			      "%s: damage is noticed, by the last check hardly ever",
			      name);
		else
			check_eq(outcome.refused + outcome.late, 1,
				 "%s: no image is written", name);
		check_eq(outcome.wrong, 0, "%s: no image is wrong", name);
	}
	return report_status();
}
#endif
