/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a program sees of libraries whose text and data are apart.
 *
 *	apart startup
 *	apart load LIBRARY
 *	apart collision LIBRARY
 *	apart unwanted LIBRARY		(linked with -z nodlopen)
 *
 * LIBRARY is apart-library.c, split or relocated in the region, as libc is.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "maps.h"
#include "report.h"

#define PAGE	4096UL

/** struct parts - where a library is */
struct parts {
	struct link_map *map;
	uintptr_t base;		/* of its text, too: it is linked to 0 */
	uintptr_t text_end;
	uintptr_t data;		/* first page */
	uintptr_t data_end;	/* behind the last byte of bss */
	uintptr_t relro;
};

static uintptr_t page_down(uintptr_t address)
{
	return address & ~(PAGE - 1);
}

static uintptr_t page_up(uintptr_t address)
{
	return page_down(address + PAGE - 1);
}

static void add_segment(struct parts *parts, const ElfW(Phdr) *ph)
{
	uintptr_t start = parts->base + ph->p_vaddr;

	if (ph->p_type == PT_GNU_RELRO)
		parts->relro = page_down(start);
	if (ph->p_type != PT_LOAD)
		return;
	if (ph->p_flags & PF_W) {
		parts->data = page_down(start);
		parts->data_end = start + ph->p_memsz;
	} else {
		parts->text_end = page_up(start + ph->p_memsz);
	}
}

static int find_parts(struct dl_phdr_info *object, size_t size, void *data)
{
	struct parts *parts = data;

	(void)size;
	if (object->dlpi_addr != parts->base)
		return 0;
	for (int i = 0; i < object->dlpi_phnum; i++)
		add_segment(parts, &object->dlpi_phdr[i]);
	return 1;
}

static struct parts parts_of(void *handle)
{
	struct parts parts = { .map = map_of(handle) };

	if (!parts.map)
		return parts;
	parts.base = parts.map->l_addr;
	check(dl_iterate_phdr(find_parts, &parts), "dl_iterate_phdr finds it");
	return parts;
}

static void check_mappings(const struct parts *p)
{
	uintptr_t window = MSHARE_WINDOW_SIZE;

	check(in_region((void *)p->base) && in_region((void *)p->data),
	      "text and data are in the region");
	check((p->text_end - 1) / window < p->data / window,
	      "they share no window");
	check(!strcmp(line_at(p->base).perms, "r-xp") &&
	      line_at(p->base).end == p->text_end,
	      "its text is one r-x mapping");
	check(p->text_end % window == 0 ||
	      (!strcmp(line_at(p->text_end).perms, "---p") &&
	       line_at(p->text_end).end % window == 0),
	      "a pad fills its window");
	check(!strcmp(line_at(p->relro).perms, "r--p"), "RELRO is read-only");
	check(!strcmp(line_at(p->data_end - 1).perms, "rw-p"),
	      "the end of its data is writable");
	check((uintptr_t)p->map->l_ld >= p->data &&
	      (uintptr_t)p->map->l_ld < p->data_end,
	      "its dynamic section is in its data");
}

static void check_object(const struct parts *p, uintptr_t address,
			 uintptr_t start, uintptr_t end, const char *what)
{
	struct dl_find_object object;

	check(!_dl_find_object((void *)address, &object) &&
	      object.dlfo_link_map == p->map && object.dlfo_eh_frame &&
	      (uintptr_t)object.dlfo_map_start == start &&
	      (uintptr_t)object.dlfo_map_end == end,
	      "_dl_find_object: %s", what);
}

static bool is_nobodys(uintptr_t address, const struct parts *p)
{
	struct dl_find_object object;
	Dl_info where;

	/* Another library's, perhaps. */
	return (_dl_find_object((void *)address, &object) ||
		object.dlfo_link_map != p->map) &&
	       (!dladdr((void *)address, &where) ||
		where.dli_fbase != (void *)p->base);
}

static void check_objects(const struct parts *p)
{
	check_object(p, p->base, p->base, p->text_end, "first byte of text");
	check_object(p, p->text_end - 1, p->base, p->text_end,
		     "last byte of text");
	check_object(p, p->data, p->data, p->data_end, "first byte of data");
	check_object(p, p->data_end - 1, p->data, p->data_end,
		     "last byte of bss");
	check(is_nobodys(p->base - 1, p) && is_nobodys(page_up(p->data_end), p),
	      "what is around is not its own");
	check(p->text_end == p->data ||
	      (is_nobodys(p->text_end, p) && is_nobodys(p->data - 1, p) &&
	       is_nobodys((p->text_end + p->data) / 2, p)),
	      "nor is what is between");
}

static void check_symbol(const struct parts *p, void *handle,
			 const char *symbol, bool is_data)
{
	void *address = dlsym(handle, symbol);
	uintptr_t where = (uintptr_t)address;
	Dl_info found;

	check(is_data ? where >= p->data && where < p->data_end :
			where >= p->base && where < p->text_end,
	      "%s is in its %s", symbol, is_data ? "data" : "text");
	check(dladdr(address, &found) && found.dli_saddr == address &&
	      found.dli_fbase == (void *)p->base &&
	      !strcmp(found.dli_fname, p->map->l_name),
	      "dladdr knows %s", symbol);
}

static void test_startup(void)
{
	void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
	char origin[PATH_MAX];
	struct parts parts;

	check(read_region() && libc, "there are a region and a libc");
	parts = parts_of(libc);
	check_mappings(&parts);
	check_objects(&parts);
	check_symbol(&parts, libc, "qsort", false);
	check_symbol(&parts, libc, "_IO_2_1_stderr_", true);
	check(!strcmp(strrchr(parts.map->l_name, '/'), "/libc.so.6"),
	      "it has the original's name");
	check(!dlinfo(libc, RTLD_DI_ORIGIN, origin) &&
	      !strcmp(origin, "/lib/x86_64-linux-gnu"),
	      "and is where the original is");
}

/* ---- a library that comes and goes ------------------------------------- */

static void read_maps(char *text, size_t size)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	size_t n = maps ? fread(text, 1, size - 1, maps) : 0;

	text[n] = '\0';
	if (maps)
		fclose(maps);
}

/* KiB of private copies in the mapping that @address is in. */
static long copied(uintptr_t address)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	uintptr_t start, end;
	long kib = -1, value;
	bool inside = false;
	char line[1024];

	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = address >= start && address < end;
		else if (inside && sscanf(line, "Anonymous: %ld", &value) == 1)
			kib = value;
	}
	if (smaps)
		fclose(smaps);
	return kib;
}

/* Its half MiB of pointers was relocated by whoever made the region. */
static void check_untouched(void *handle)
{
	uintptr_t pointers = (uintptr_t)dlsym(handle, "apart_pointers");
	long kib = copied(pointers + 0x40000);

	printf("%ld KiB of its data are copied\n", kib);
	check(kib >= 0 && kib < 64, "its pointers are not written again");
}

static void check_library(void *handle)
{
	unsigned int (*wrong)(void) = dlsym(handle, "apart_wrong");
	struct parts parts = parts_of(handle);

	check_mappings(&parts);
	check_objects(&parts);
	check_untouched(handle);
	check_symbol(&parts, handle, "apart_wrong", false);
	check_symbol(&parts, handle, "apart_pointers", true);
	check_eq(wrong ? wrong() : ~0U, 0, "all of its data is right");
}

static bool is_gone(const struct parts *p)
{
	struct dl_find_object object;

	return _dl_find_object((void *)p->base, &object) &&
	       _dl_find_object((void *)p->data, &object) &&
	       !line_at(p->base).end && !line_at(p->text_end).end &&
	       !line_at(p->data).end && !line_at(p->data_end - 1).end;
}

static void test_load(const char *library)
{
	static char before[1 << 16], after[1 << 16];
	struct parts parts;
	bool same = true;
	void *handle;

	/* From then on malloc and stdio have what they need. */
	for (int i = 0; i < 2; i++) {
		handle = dlopen(library, RTLD_LAZY);
		read_maps(before, sizeof(before));
		if (handle)
			dlclose(handle);
	}
	read_maps(before, sizeof(before));
	handle = dlopen(library, RTLD_LAZY);
	if (!check(handle && read_region(), "it is opened")) {
		puts(dlerror());
		return;
	}
	check_library(handle);
	parts = parts_of(handle);
	check(!dlclose(handle) && is_gone(&parts), "it is gone when closed");
	for (int i = 0; i < 200; i++) {
		handle = dlopen(library, i & 1 ? RTLD_NOW : RTLD_LAZY);
		same &= handle && map_of(handle)->l_addr == parts.base &&
			!dlclose(handle);
	}
	check(same, "it is at the same address 200 times");
	read_maps(after, sizeof(after));
	check(!strcmp(before, after), "all mappings are as before");
}

/* ---- something in the way ---------------------------------------------- */

static void collide(const char *library, uintptr_t taken, const char *what)
{
	void *page = mmap((void *)taken, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			  -1, 0);
	unsigned int (*wrong)(void);
	void *handle;

	if (!check(page == (void *)taken, "%s: the page is free", what))
		return;
	*(int *)page = 42;
	handle = dlopen(library, RTLD_NOW);
	check(handle && !in_region((void *)map_of(handle)->l_addr),
	      "%s taken: it is loaded elsewhere", what);
	wrong = handle ? dlsym(handle, "apart_wrong") : NULL;
	check_eq(wrong ? wrong() : ~0U, 0, "%s taken: and works", what);
	check_eq(*(int *)page, 42, "%s taken: what took it is untouched", what);
	if (handle)
		dlclose(handle);
	munmap(page, PAGE);
}

static void test_collision(const char *library)
{
	void *handle = dlopen(library, RTLD_NOW);
	struct parts parts = parts_of(handle);
	uintptr_t pad_end = line_at(parts.text_end).end;

	read_region();
	check(in_region((void *)parts.base), "it is placed when nothing is");
	dlclose(handle);
	collide(library, parts.base, "text");
	collide(library, pad_end - PAGE, "pad");
	collide(library, parts.data, "data");
	collide(library, page_down(parts.data_end - 1), "bss");
	handle = dlopen(library, RTLD_NOW);
	check(handle && map_of(handle)->l_addr == parts.base,
	      "it is placed when all is free again");
}

/* ---- what ld.so refuses after it has been mapped ------------------------ */

static void test_unwanted(const char *library)
{
	static char before[1 << 16], after[1 << 16];
	bool refused = true;

	/* From then on malloc and stdio have what they need. */
	for (int i = 0; i < 2; i++) {
		dlopen(library, RTLD_LAZY);
		dlerror();
		read_maps(before, sizeof(before));
	}
	for (int i = 0; i < 100; i++) {
		const char *error;

		refused &= !dlopen(library, RTLD_LAZY);
		error = dlerror();
		refused &= error && strstr(error, "cannot be dlopen()ed");
	}
	check(refused, "it is refused 100 times, as ever");
	read_maps(after, sizeof(after));
	check(!strcmp(before, after), "all mappings are as before");
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "startup"))
		test_startup();
	else if (argc == 3 && !strcmp(argv[1], "load"))
		test_load(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "unwanted"))
		test_unwanted(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "collision"))
		test_collision(argv[2]);
	else
		return 2;
	return report_status();
}
