// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Why a process, or a library of it, is not sharing.
 *
 * ld.so leaves no record of its decisions: they are inferred from what is there
 * to see, in the order in which ld.so decides.  What has changed since it
 * decided cannot be seen.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "catalog.h"
#include "explain.h"
#include "format.h"

__attribute__((format(printf, 2, 3)))
static void say(char *why, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, EXPLANATION_MAX, format, arguments);
	va_end(arguments);
}

/* ---- the process ------------------------------------------------------- */

/* Of /proc/PID/auxv: 0 if it is not there. */
static uint64_t auxiliary(int pid, uint64_t type)
{
	uint64_t value = 0;
	Elf64_auxv_t entry;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	file = fopen(path, "re");
	while (file && fread(&entry, sizeof(entry), 1, file) == 1)
		if (entry.a_type == type)
			value = entry.a_un.a_val;
	if (file)
		fclose(file);
	return value;
}

/* @variable: how an entry of the environment it began with begins */
static bool has_variable(int pid, const char *variable)
{
	bool found = false;
	char path[64], *word = NULL;
	size_t size = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	file = fopen(path, "re");
	while (file && !found && getdelim(&word, &size, '\0', file) > 0)
		found = !strncmp(word, variable, strlen(variable));
	free(word);
	if (file)
		fclose(file);
	return found;
}

/* The number behind @key in /proc/PID/status. */
static uint64_t status_of(int pid, const char *key)
{
	char path[64], line[256];
	uint64_t value = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			value = strtoull(line + strlen(key), NULL, 10);
	if (file)
		fclose(file);
	return value;
}

static bool has_personality(int pid, unsigned long flag)
{
	unsigned long flags = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/personality", pid);
	file = fopen(path, "re");
	if (file && fscanf(file, "%lx", &flags) != 1)
		flags = 0;
	if (file)
		fclose(file);
	return flags & flag;
}

/* Seconds since 1970; the kernel counts in ticks since it was booted. */
static double start_of(int pid)
{
	unsigned long long ticks = 0;
	struct timespec now, up;
	char path[64], line[1024], *rest;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (file && fgets(line, sizeof(line), file)) {
		/* The name, in parentheses, may have anything in it. */
		rest = strrchr(line, ')');
		if (!rest || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
				    &ticks) != 1)
			ticks = 0;
	}
	if (file)
		fclose(file);
	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	return (double)(now.tv_sec - up.tv_sec) +
	       (double)(now.tv_nsec - up.tv_nsec) / 1e9 +
	       (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static bool has_bytes(const char *path, const char *bytes, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool found = false;
	struct stat file;
	void *map;

	if (fd < 0)
		return false;
	if (!fstat(fd, &file) && file.st_size) {
		map = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE,
			   fd, 0);
		if (map != MAP_FAILED) {
			found = memmem(map, (size_t)file.st_size, bytes, size);
			munmap(map, (size_t)file.st_size);
		}
	}
	close(fd);
	return found;
}

/*
 * The mapping of ld.so that begins at AT_BASE; who was started as "ld.so
 * PROGRAM" has none, and is an ld.so himself.
 */
static void find_loader(struct subject *subject)
{
	uint64_t base = auxiliary(subject->pid, AT_BASE);

	if (!base)
		base = auxiliary(subject->pid, AT_PHDR) & -4096UL;
	for (size_t i = 0; base && i < subject->count; i++)
		if (base - subject->mappings[i].start <
		    subject->mappings[i].end - subject->mappings[i].start)
			subject->loader = &subject->mappings[i];
}

/*
 * Any ld.so of ours has the magic of the catalogs it can read in it.  What is
 * there by its name now may be another, but only root can look at the mapped one.
 */
static bool reads_catalogs(const struct subject *subject)
{
	char path[96];

	snprintf(path, sizeof(path),
		 "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, subject->pid,
		 subject->loader->start, subject->loader->end);
	return has_bytes(access(path, R_OK) ? subject->loader->path : path,
			 MSHARE_CATALOG_MAGIC, strlen(MSHARE_CATALOG_MAGIC));
}

static bool explain_loader(struct subject *subject)
{
	find_loader(subject);
	if (!subject->loader || !*subject->loader->path) {
		say(subject->nothing, "no ld.so was found in it");
		return true;
	}
	if (reads_catalogs(subject))
		return false;
	if (!auxiliary(subject->pid, AT_BASE))
		say(subject->nothing, "it is statically linked");
	else
		say(subject->nothing, "its ld.so, %s, is none of ours",
		    subject->loader->path);
	return true;
}

/* What makes the module refuse to map anything: <linux/msharefs.h> */
static bool explain_refusal(int pid, char *why)
{
	struct rlimit limit;

	if (!prlimit(pid, RLIMIT_AS, NULL, &limit) &&
	    limit.rlim_cur != RLIM_INFINITY)
		say(why, "its address space is limited (RLIMIT_AS)");
	else if (has_personality(pid, READ_IMPLIES_EXEC))
		say(why, "all it may read it may execute (READ_IMPLIES_EXEC)");
	else if (status_of(pid, "VmLck:"))
		say(why, "it has locked memory");
	else
		return false;
	return true;
}

void explain_nothing(struct subject *subject)
{
	if (explain_loader(subject) || subject->sharer)
		return;
	if (auxiliary(subject->pid, AT_SECURE))
		say(subject->nothing,
		    "it has rights that its user has not (AT_SECURE)");
	else if (has_variable(subject->pid, "LD_MSHARE=off"))
		say(subject->nothing, "it was started with LD_MSHARE=off");
	else if (has_variable(subject->pid, "LD_PROFILE=") ||
		 has_variable(subject->pid, "LD_AUDIT="))
		say(subject->nothing,
		    "its calls are seen by others (LD_PROFILE, LD_AUDIT)");
	else if (!subject->region)
		say(subject->nothing, "there is no region");
	else if (start_of(subject->pid) < subject->born)
		say(subject->nothing, "it began before the region was made");
	else
		explain_refusal(subject->pid, subject->nothing);
}

/* ---- a library --------------------------------------------------------- */

/* What a set of images has to say of a library, "" if nothing. */
static void explain_image(const struct subject *subject, const char *path,
			  char *why)
{
	const struct image_entry *entry = image_index_find(&subject->index, path);
	struct stat file;

	*why = '\0';
	if (!entry)
		say(why, "no image was made of it (mshare image build)");
	else if (stat(path, &file) || entry->size != (uint64_t)file.st_size ||
		 entry->ctime_sec != file.st_ctim.tv_sec ||
		 entry->ctime_nsec != (uint32_t)file.st_ctim.tv_nsec)
		say(why, "it has changed since an image was made of it");
	else if (entry->kind != IMAGE_SPLIT)
		say(why, "cannot be split: %s: %s",
		    image_reason_name(entry->reason), entry->why);
}

static bool is_retired(const struct subject *subject,
		       const struct mshare_library *library)
{
	struct mshare_library_stat stat;
	uint64_t offset = library->entry.text_offset;
	int result = mshare_region_library(subject->region, offset, &stat);

	/* One that nobody uses any more is gone altogether. */
	return result == -ENOENT || stat.region_offset != offset ||
	       (stat.flags & MSHARE_LIBRARY_RETIRED);
}

void explain_shared(const struct subject *subject,
		    const struct mshare_library *library, uint64_t private,
		    char *why)
{
	*why = '\0';
	if (private)
		say(why, "has made windows its own (%" PRIu64 "): by a write, as a breakpoint is, or another protection",
		    private);
	else if (!subject->live)
		say(why, "of generation %" PRIu64 ", which is no longer live",
		    (uint64_t)mshare_region_info(subject->region)->generation);
	else if (is_retired(subject, library))
		say(why, "retired: new processes do not get it (mshare drop, unshare)");
	else if (mshare_library_is_stale(library))
		say(why, "its file has changed: new processes load it as ever");
	else if (library->entry.placement != MSHARE_SPLIT)
		explain_image(subject, library->path, why);
}

/* @path: as the process has it mapped, which is the library's or its image's */
static bool find_listed(const struct subject *subject, const char *path,
			struct mshare_library *library)
{
	for (size_t i = 0; !mshare_region_entry(subject->region, i, library); i++)
		if (!strcmp(library->path, path) ||
		    (library->image && !strcmp(library->image, path)))
			return true;
	return false;
}

/* Read-only bytes of a file that are mapped: about the size of its text */
static uint64_t mapped_text(const struct subject *subject, const char *path)
{
	uint64_t size = 0;

	for (size_t i = 0; i < subject->count; i++)
		if (subject->mappings[i].perms[1] != 'w' &&
		    !strcmp(subject->mappings[i].path, path))
			size += subject->mappings[i].end -
				subject->mappings[i].start;
	return size;
}

static void explain_unlisted(const struct subject *subject, const char *path,
			     char *why)
{
	uint64_t text = mapped_text(subject, path);
	char image[EXPLANATION_MAX];

	explain_image(subject, path, image);
	if (!*image)
		say(why, "its image is not in the region; mshare-preload says why");
	else if (text < IMAGE_PAIRED_TEXT)
		say(why, "%s, and is too small to be shared as it is (%s)", image,
		    format_size(text).text);
	else
		say(why, "not in the region; mshare-preload says why. %s", image);
}

/* What else is mapped where the library would go; NULL: nothing */
static const struct mapping *find_obstacle(const struct subject *subject,
					   const struct mshare_library *library)
{
	const struct mshare_catalog_entry *entry = &library->entry;
	uint64_t start = mshare_region_info(subject->region)->start;

	for (size_t i = 0; i < subject->count; i++) {
		const struct mapping *mapping = &subject->mappings[i];
		uint64_t from = mapping->start - start;
		uint64_t to = mapping->end - start;

		if (mapping->end <= start)
			continue;
		if (mapping->start < start)
			from = 0;
		if ((from < entry->claim_offset + entry->claim_size &&
		     to > entry->claim_offset) ||
		    (from < entry->data_offset + entry->data_size &&
		     to > entry->data_offset))
			return mapping;
	}
	return NULL;
}

static void explain_listed(const struct subject *subject,
			   const struct mapping *mapping,
			   const struct mshare_library *library, char *why)
{
	const struct mapping *obstacle = find_obstacle(subject, library);

	if (is_retired(subject, library))
		say(why, "retired (mshare drop, mshare unshare)");
	else if (mshare_library_is_stale(library))
		say(why, "its file has changed since the region was made");
	else if (mapping->deleted || mapping->ino != library->entry.ino)
		say(why, "what it has is an older file of this name");
	else if (obstacle)
		say(why, "its addresses are taken, now by %s",
		    *obstacle->path ? obstacle->path : "anonymous memory");
	else if (!explain_refusal(subject->pid, why))
		say(why, "nothing speaks against it now; start it again with LD_MSHARE=verbose");
}

void explain_stock(const struct subject *subject, const struct mapping *mapping,
		   char *why)
{
	struct mshare_library library;

	*why = '\0';
	if (subject->loader && !strcmp(mapping->path, subject->loader->path))
		say(why, "the kernel maps it");
	else if (*subject->nothing)
		return;
	else if (find_listed(subject, mapping->path, &library))
		explain_listed(subject, mapping, &library, why);
	else
		explain_unlisted(subject, mapping->path, why);
}
