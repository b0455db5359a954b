/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What debuggers read of split libraries: r_map leads to a chain that names
 * their images, and is otherwise the program's own.
 *
 *	chain startup
 *	chain load LIBRARY
 *	chain namespace LIBRARY
 *	chain memory LIBRARY
 *	chain unwanted LIBRARY		(linked with -z nodlopen)
 *	chain stock
 *
 * LIBRARY is apart-library.c, split in the region, as libc is.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "maps.h"
#include "report.h"

/* What fake-region puts before a library's path, to name its image. */
#define IMAGE "image:"

/* ---- memory: the fail_at-th allocation from now on fails ----------------- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);

static int fail_at, allocations;

static bool fails(void)
{
	return fail_at && ++allocations == fail_at;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

/* ---- chains -------------------------------------------------------------- */

static bool is_image(const struct link_map *seen)
{
	return !strncmp(seen->l_name, IMAGE, strlen(IMAGE));
}

/* Where debuggers look; the program may have a copy of _r_debug. */
static const struct r_debug_extended *debug(void)
{
	const ElfW(Dyn) *dynamic = _DYNAMIC;

	while (dynamic->d_tag != DT_DEBUG)
		dynamic++;
	return (const void *)dynamic->d_un.d_ptr;
}

static const struct link_map *seen(void)
{
	return debug()->base.r_map;
}

static bool is_seen_as(const struct link_map *real, const struct link_map *node)
{
	return node->l_addr == real->l_addr && node->l_ld == real->l_ld &&
	       (is_image(node) ?
		!strcmp(node->l_name + strlen(IMAGE), real->l_name) :
		node->l_name == real->l_name);
}

/* How many of the chain from @real are not in the one from @node; or -1. */
static int missing(const struct link_map *real, const struct link_map *node)
{
	const struct link_map *previous = NULL;
	int n = 0;

	for (; node; node = node->l_next) {
		for (; real && !is_seen_as(real, node); real = real->l_next)
			n++;
		if (!real || node->l_prev != previous)
			return -1;
		real = real->l_next;
		previous = node;
	}
	for (; real; real = real->l_next)
		n++;
	return n;
}

static const struct link_map *first(const struct link_map *map)
{
	while (map && map->l_prev)
		map = map->l_prev;
	return map;
}

/* Of the program */
static const struct link_map *base_chain(void)
{
	return first(map_of(dlopen(NULL, RTLD_LAZY)));
}

/* The node of an object in a chain, if it shows an image */
static const struct link_map *image_in(const struct link_map *node, void *handle)
{
	while (node && node->l_ld != map_of(handle)->l_ld)
		node = node->l_next;
	return node && is_image(node) ? node : NULL;
}

static const struct link_map *libc_seen(void)
{
	void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);

	return libc ? image_in(seen(), libc) : NULL;
}

/* glibc takes link maps for handles, wherever a program has found them. */
static bool is_handle(const struct link_map *node, void *handle,
		      const char *symbol)
{
	const ElfW(Phdr) *seen = NULL, *real = NULL;
	void *found = (void *)node;
	int count;

	if (!node)
		return false;
	count = dlinfo(handle, RTLD_DI_PHDR, &real);
	return count > 0 && dlinfo(found, RTLD_DI_PHDR, &seen) == count &&
	       seen == real && dlsym(handle, symbol) &&
	       dlsym(found, symbol) == dlsym(handle, symbol);
}

static void check_base(const char *when)
{
	check_eq(missing(base_chain(), seen()), 0,
		 "%s: debuggers see all objects, in order", when);
	check(libc_seen(), "%s: they see libc's image", when);
	check_eq(debug()->base.r_state, RT_CONSISTENT,
		 "%s: nothing is going on", when);
}

static void test_startup(void)
{
	check(seen() != base_chain(), "r_map leads to another chain");
	check(_r_debug.r_map == seen(), "in a copy of _r_debug, too");
	check_base("at startup");
	check(is_handle(libc_seen(), dlopen("libc.so.6", RTLD_LAZY), "puts"),
	      "what they see is a handle, too");
}

static void test_stock(void)
{
	check(seen() == base_chain(), "r_map leads to the one chain");
}

/* ---- libraries that come and go ------------------------------------------ */

static bool load_often(const char *library)
{
	for (int i = 0; i < 100; i++) {
		void *handle = dlopen(library, i & 1 ? RTLD_NOW : RTLD_LAZY);

		if (!handle || dlclose(handle))
			return false;
	}
	return true;
}

static bool load_in_vain(const char *library)
{
	for (int i = 0; i < 100; i++)
		if (dlopen(library, RTLD_NOW) || !dlerror())
			return false;
	return true;
}

/* The first time, others keep what they need once. */
static void check_memory(bool (*use)(const char *library), const char *library)
{
	size_t used;

	check(use(library), "100 times");
	used = mallinfo2().uordblks;
	check(use(library), "and 100 times again");
	check_eq(mallinfo2().uordblks, used, "no memory is lost");
}

static void test_load(const char *library)
{
	const struct link_map *libc = libc_seen();
	void *handle = dlopen(library, RTLD_NOW), *again;
	const struct link_map *node;

	if (!check(handle, "it is opened"))
		return;
	check_base("loaded");
	node = image_in(seen(), handle);
	check(node, "loaded: they see its image");
	check(is_handle(node, handle, "apart_wrong"),
	      "loaded: what they see is a handle, too");
	again = node ? dlopen(node->l_name, RTLD_NOW | RTLD_NOLOAD) : NULL;
	check(again == handle, "its image is no other library");
	dlclose(again);
	dlclose(handle);
	check_base("closed");
	check_memory(load_often, library);
	check_base("closed again");
	check(libc == libc_seen(), "where libc is seen has not changed");
}

static void test_unwanted(const char *library)
{
	check_memory(load_in_vain, library);
	check_base("refused");
}

/* ---- namespaces ---------------------------------------------------------- */

/* Of the second namespace, where @handle is */
static void check_second(void *handle, const char *when)
{
	const struct link_map *node = debug()->r_next->base.r_map;

	check(image_in(node, handle), "%s: they see an image there", when);
	check_eq(missing(first(map_of(handle)), node), 0,
		 "%s: and all other objects", when);
	check_base(when);
}

static void test_namespace(const char *library)
{
	for (int i = 0; i < 3; i++) {
		void *handle = dlmopen(LM_ID_NEWLM, library, RTLD_NOW), *libm;
		Lmid_t where;

		if (!check(handle && debug()->base.r_version == 2 &&
			   !dlinfo(handle, RTLD_DI_LMID, &where),
			   "there is another namespace"))
			return;
		check_second(handle, "one library");
		libm = dlmopen(where, "libm.so.6", RTLD_NOW);
		check_second(libm, "two libraries");
		dlclose(handle);
		check_second(libm, "without the first");
		dlclose(libm);
		check(!debug()->r_next->base.r_map, "it is empty when closed");
	}
	check_base("one namespace");
}

/* ---- without memory ------------------------------------------------------ */

static bool works(void *handle)
{
	unsigned int (*wrong)(void) = dlsym(handle, "apart_wrong");

	return wrong && wrong() == 0;
}

static void test_memory(const char *library)
{
	int opened = 0, most = 0, n = 0;
	bool ok = true, works_still = true;

	do {
		void *handle;
		int left;

		allocations = 0;
		fail_at = ++n;
		handle = dlopen(library, RTLD_NOW);
		fail_at = 0;
		left = missing(base_chain(), seen());
		most = left > most ? left : most;
		ok &= left >= 0 && left <= 1 && libc_seen();
		if (!handle)
			continue;
		opened += allocations >= n;
		works_still &= works(handle);
		dlclose(handle);
		ok &= missing(base_chain(), seen()) == 0;
	} while (allocations >= n);

	printf("%d allocations, %d did without\n", n - 1, opened);
	check(n > 5, "allocations fail, one after the other");
	check(ok, "what debuggers see is true each time");
	check(works_still && opened >= 2, "the library works without memory for them");
	check_eq(most, 1, "it is missing without memory for its node");
	check_base("in the end");
}

int main(int argc, char **argv)
{
	const char *test = argc > 1 ? argv[1] : "";

	if (!strcmp(test, "startup") && argc == 2)
		test_startup();
	else if (!strcmp(test, "stock") && argc == 2)
		test_stock();
	else if (!strcmp(test, "load") && argc == 3)
		test_load(argv[2]);
	else if (!strcmp(test, "namespace") && argc == 3)
		test_namespace(argv[2]);
	else if (!strcmp(test, "memory") && argc == 3)
		test_memory(argv[2]);
	else if (!strcmp(test, "unwanted") && argc == 3)
		test_unwanted(argv[2]);
	else
		return 2;
	return report_status();
}
