// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is split, what is not and why; and that what is split does what it did.
 *
 *	decide DIRECTORY	where the libraries of image.exp are
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "made.h"
#include "report.h"

#define SYSTEM	"/lib/x86_64-linux-gnu/"

/** struct expected - what must be decided of a library */
struct expected {
	const char *path;
	int kind;
	enum image_reason reason;
	const char *what;
};

static const struct expected made_here[] = {
	{ "relative-data.so", IMAGE_REFUSED, IMAGE_TABLE,
	  "a relative lookup table in .rodata is found" },
	{ "relative-text.so", IMAGE_REFUSED, IMAGE_TABLE,
	  "a relative lookup table beside the code is found" },
	{ "ranges.so", IMAGE_SPLIT, IMAGE_PROVEN,
	  "ranges of characters are no relative lookup table" },
	{ "relative-jumps.so", IMAGE_SPLIT, IMAGE_PROVEN,
	  "relative jump tables in .data.rel.ro are moved" },
	{ "relative-jumps-apart.so", IMAGE_REFUSED, IMAGE_TABLE,
	  "but not if their use is not seen" },
	{ "relative-jumps-other.so", IMAGE_REFUSED, IMAGE_TABLE,
	  "or is of something else" },
	{ "relative-jumps-middle.so", IMAGE_REFUSED, IMAGE_TABLE,
	  "or not the only one" },
	{ "relative-jumps-shared.so", IMAGE_REFUSED, IMAGE_TABLE,
	  "or if they are referred to otherwise" },
	{ "relative-jumps-named.so", IMAGE_REFUSED, IMAGE_TABLE,
	  "or are part of something that is" },
	{ "relative-jumps-behind.so", IMAGE_REFUSED, IMAGE_TABLE,
	  "or their end cannot be told" },
	{ "relative-jumps-stray.so", IMAGE_REFUSED, IMAGE_TABLE,
	  "or a word does not lead to an instruction" },
	{ "relative-jumps-far.so", IMAGE_REFUSED, IMAGE_TABLE,
	  "or leads to another function" },
	{ "relative-jumps-below.so", IMAGE_REFUSED, IMAGE_TABLE,
	  "or words may be in front of it" },
	{ "relative-jumps-stride.so", IMAGE_REFUSED, IMAGE_TABLE,
	  "or pointers between its words" },
	{ "relative-jumps-unaligned.so", IMAGE_REFUSED, IMAGE_TABLE,
	  "or they are not read as what they are" },
	{ "relative-jumps-beyond.so", IMAGE_REFUSED, IMAGE_TABLE,
	  "or something else" },
	{ "relative-jumps-many.so", IMAGE_REFUSED, IMAGE_TABLE,
	  "or there are too many" },
	{ "swapped.so", IMAGE_REFUSED, IMAGE_TABLE,
	  "they are found in whatever order section headers are" },
	{ "gaps.so", IMAGE_SPLIT, IMAGE_PROVEN,
	  "tables beside the code do not hold it back" },
	{ "gaps-newer.so", IMAGE_REFUSED, IMAGE_UNCOVERED,
	  "but they do if they may be instructions that are not known" },
	{ "gaps-unknown.so", IMAGE_REFUSED, IMAGE_UNCOVERED,
	  "or one of these that refers to data" },
	{ "gaps-syscall.so", IMAGE_REFUSED, IMAGE_UNCOVERED,
	  "if they may be a system call that does not return" },
	{ "gaps-return.so", IMAGE_REFUSED, IMAGE_UNCOVERED,
	  "if they may be a function that returns" },
	{ "uncovered.so", IMAGE_REFUSED, IMAGE_UNCOVERED,
	  "code without a table that refers to data is found" },
	{ "large-model.so", IMAGE_REFUSED, IMAGE_LARGE_MODEL,
	  "code of the large model is found" },
	{ "jumps-inside.so", IMAGE_REFUSED, IMAGE_UNDECODABLE,
	  "a branch into an instruction is found" },
	{ "notext.so", -1, IMAGE_NOT_SHAREABLE,
	  "what has relocations in its text is not even read" },
	{ "wx.so", -1, IMAGE_NOT_SHAREABLE,
	  "nor what has a segment writable and executable" },
	{ "plain.so", IMAGE_SPLIT, IMAGE_PROVEN, "plain C is split" },
	{ "plain-relr.so", IMAGE_SPLIT, IMAGE_PROVEN,
	  "plain C with RELR is split" },
	{ "no-type.so", IMAGE_SPLIT, IMAGE_PROVEN,
	  "of section headers without a type nothing is used" },
	{ "catch.so", IMAGE_SPLIT, IMAGE_PROVEN, "C++ is split" },
};

/* Debian's own, where they are: the first two were silent miscompiles once. */
static const struct expected distributed[] = {
	{ SYSTEM "libLLVM-14.so.1", IMAGE_PAIRED, IMAGE_TABLE,
	  "libLLVM-14 with its relative lookup tables is not split" },
	{ SYSTEM "libgmp.so.10", IMAGE_SPLIT, IMAGE_PROVEN,
	  "libgmp is split, with its relative jump tables" },
	{ SYSTEM "ld-linux-x86-64.so.2", IMAGE_REFUSED, IMAGE_LOADER,
	  "ld.so is not split" },
	{ SYSTEM "libc.so.6", IMAGE_SPLIT, IMAGE_PROVEN, "libc is split" },
	{ SYSTEM "libz.so.1", IMAGE_SPLIT, IMAGE_PROVEN, "libz is split" },
	{ SYSTEM "libstdc++.so.6", IMAGE_SPLIT, IMAGE_PROVEN,
	  "libstdc++ is split" },
};

static void decide(const char *path, const struct expected *expected)
{
	struct made made;

	make_decision(&made, path);
	printf("%s: %d %s: %s\n", path, made.kind,
	       image_reason_name(made.verdict.reason), made.verdict.why);
	check(made.kind == expected->kind &&
	      made.verdict.reason == expected->reason, "%s", expected->what);
	unmake(&made);
}

static int answer(const char *text, int number)
{
	return (int)strlen(text) + number;
}

/** struct answers - what a library's functions return */
struct answers {
	int counted[3];
	int all;
	char names[4][8];
};

static bool ask(const char *path, struct answers *answers)
{
	void *library = dlopen(path, RTLD_NOW);
	int (*counted)(void) = library ? dlsym(library, "counted") : NULL;
	const char *(*name_of)(int) = library ? dlsym(library, "name_of") : NULL;
	int (*run_all)(int (*)(const char *, int)) =
		library ? dlsym(library, "run_all") : NULL;

	memset(answers, 0, sizeof(*answers));
	if (!library) {
		printf("%s\n", dlerror());
		return false;
	}
	for (int i = 0; i < 3 && counted; i++)
		answers->counted[i] = counted();
	for (int i = 0; i < 4 && name_of; i++)
		strncpy(answers->names[i], name_of(i), 7);
	if (run_all)
		answers->all = run_all(answer);
	dlclose(library);
	return true;
}

static void compare(const char *path, const char *directory, const char *name)
{
	struct image_references references = { 0 };
	struct image_verdict verdict = { 0 };
	struct answers stock, image;
	struct made made;

	if (!check(make_image(&made, path, directory), "%s: an image is made",
		   name)) {
		unmake(&made);
		return;
	}
	check(!image_verify(&made.source, &made.image, &made.note, &references,
			    &verdict),
	      "%s: it is the original, moved", name);
	check(image_run(&made.source, path, &made.image, made.image_path,
			&references, &verdict) == IMAGE_RUN_EQUAL,
	      "%s: data after constructors and exports are equal", name);
	printf("%s\n", verdict.why);
	check(ask(path, &stock) && ask(made.image_path, &image) &&
	      !memcmp(&stock, &image, sizeof(stock)),
	      "%s: its functions give the same answers", name);
	image_references_free(&references);
	unmake(&made);
}

int main(int argc, char **argv)
{
	const char *directory = argc > 1 ? argv[1] : ".";

	for (size_t i = 0; i < sizeof(made_here) / sizeof(*made_here); i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", directory,
			 made_here[i].path);
		if (access(path, R_OK)) {
			unsupported("%s: no compiler made it", made_here[i].what);
			continue;
		}
		decide(path, &made_here[i]);
		if (made_here[i].kind == IMAGE_SPLIT)
			compare(path, directory, made_here[i].path);
	}
	for (size_t i = 0; i < sizeof(distributed) / sizeof(*distributed); i++) {
		if (access(distributed[i].path, R_OK))
			unsupported("%s: it is not here", distributed[i].what);
		else
			decide(distributed[i].path, &distributed[i]);
	}
	return report_status();
}
