/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a program sees that runs with the patched ld.so and a region.
 *
 *	placed TEST [LIBRARY [COUNT]]
 *
 * LIBRARY is in the region but not among what this program starts with.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

#include <linux/msharefs.h>

#include "maps.h"
#include "report.h"

#define NEXT_REGION	"/sys/fs/mshare/next"

static struct link_map *libc_map(void)
{
	return map_of(dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD));
}

static void add_one(const struct line *line, void *data)
{
	(void)line;
	++*(int *)data;
}

static int count_lines(void)
{
	int n = 0;

	each_line(add_one, &n);
	return n;
}

static void find_catalog(const struct line *line, void *data)
{
	if (line->start < info.start + MSHARE_WINDOW_SIZE &&
	    line->end > info.start)
		*(bool *)data = true;
}

/* ---- at startup -------------------------------------------------------- */

/* Descriptors of the region. */
static int count_descriptors(void)
{
	struct stat region, st;
	int n = 0;

	if (stat(REGION, &region))
		return 0;
	for (int fd = 0; fd < 1024; fd++)
		n += !fstat(fd, &st) && st.st_dev == region.st_dev &&
		     st.st_ino == region.st_ino;
	return n;
}

/* Constructors are the first code of a program to run. */
static int early_descriptors;

__attribute__((constructor))
static void count_early(void)
{
	early_descriptors = count_descriptors();
}

static const ElfW(Phdr) *header_of(const ElfW(Phdr) *ph, int n, unsigned int type)
{
	for (int i = 0; i < n; i++)
		if (ph[i].p_type == type)
			return &ph[i];
	return NULL;
}

static int check_phdr(struct dl_phdr_info *object, size_t size, void *data)
{
	struct link_map *libc = data;
	const ElfW(Phdr) *relro, *dynamic;
	uintptr_t start;

	(void)size;
	if (object->dlpi_addr != libc->l_addr)
		return 0;
	dynamic = header_of(object->dlpi_phdr, object->dlpi_phnum, PT_DYNAMIC);
	check(dynamic && object->dlpi_addr + dynamic->p_vaddr ==
	      (uintptr_t)libc->l_ld, "dl_iterate_phdr knows libc");
	relro = header_of(object->dlpi_phdr, object->dlpi_phnum, PT_GNU_RELRO);
	start = object->dlpi_addr + relro->p_vaddr;
	check(!strcmp(line_at(start).perms, "r--p"), "RELRO is read-only");
	return 1;
}

static void test_addresses(struct link_map *libc)
{
	Dl_info where;
	struct dl_find_object object;

	check(in_region((void *)libc->l_addr), "libc is in the region");
	check(!strcmp(line_at(libc->l_addr).perms, "r-xp"),
	      "its text is one r-x mapping");
	check(!strcmp(line_at(libc->l_addr - 1).perms, "---p"),
	      "a pad is below it");
	check(!((uintptr_t)line_at(libc->l_addr - 1).start %
		MSHARE_WINDOW_SIZE), "the pad begins at a window");
	check(dladdr(dlsym(RTLD_NEXT, "puts"), &where) &&
	      where.dli_fbase == (void *)libc->l_addr &&
	      strstr(where.dli_fname, "libc.so.6"), "dladdr knows it");
	check(!_dl_find_object(dlsym(RTLD_NEXT, "puts"), &object) &&
	      object.dlfo_map_start == (void *)libc->l_addr &&
	      object.dlfo_eh_frame && in_region(object.dlfo_eh_frame),
	      "_dl_find_object knows it");
	check(_dl_find_object((char *)libc->l_addr - 1, &object) == -1,
	      "the pad belongs to no object");
	check(dl_iterate_phdr(check_phdr, libc), "dl_iterate_phdr finds libc");
}

static void test_startup(void)
{
	bool catalog = false;
	struct link_map *libc = libc_map();

	check(read_region() && libc, "there are a region and a libc");
	check_eq(early_descriptors, 0, "no descriptor reaches the program");
	each_line(find_catalog, &catalog);
	check(!catalog, "the catalog's mapping does not reach the program");
	test_addresses(libc);
}

/* For programs that must not use the region. */
static void test_stock(void)
{
	read_region();
	check(!in_region((void *)libc_map()->l_addr),
	      "libc is not in the region");
	check_eq(early_descriptors, 0, "no descriptor reaches the program");
}

static void test_secure(void)
{
	if (!getauxval(AT_SECURE)) {
		unsupported("AT_SECURE: the kernel does not set it here");
		return;
	}
	check(!getenv("LD_MSHARE"), "LD_MSHARE is removed");
	test_stock();
}

/* ---- dlopen ------------------------------------------------------------ */

static void test_reload(const char *library, int times)
{
	struct link_map *map;
	void *handle = dlopen(library, RTLD_NOW);
	uintptr_t first = handle ? map_of(handle)->l_addr : 0;
	bool same = true, gone = true;
	int lines;

	read_region();
	check(in_region((void *)first), "a library opened later is placed");
	/* From here on malloc has what it needs. */
	if (handle)
		dlclose(handle);
	check(!line_at(first).end, "it is gone when closed");
	lines = count_lines();
	for (int i = 0; i < times; i++) {
		handle = dlopen(library, RTLD_NOW);
		map = map_of(handle);
		same &= map && map->l_addr == first;
		if (handle)
			dlclose(handle);
		gone &= count_lines() == lines;
	}
	check(same, "it is at the same address %d times", times);
	check(gone, "no mapping is left over after any of them");
	check_eq(count_descriptors(), 0, "no descriptor is left");
}

static void test_namespace(const char *library)
{
	void *first = dlopen(library, RTLD_NOW);
	void *second = dlmopen(LM_ID_NEWLM, library, RTLD_NOW);

	read_region();
	check(first && second, "it is loaded in two namespaces");
	check(first && in_region((void *)map_of(first)->l_addr),
	      "the first is placed");
	check(second && !in_region((void *)map_of(second)->l_addr),
	      "the second, whose address is taken, is not");
	dlclose(second);
	dlclose(first);
	first = dlopen(library, RTLD_NOW);
	check(first && in_region((void *)map_of(first)->l_addr),
	      "when both are gone it is placed again");
}

/* Take one page of the library's addresses, at @offset from its text. */
static void collide(const char *library, intptr_t offset, const char *what)
{
	void *handle = dlopen(library, RTLD_NOW), *page;
	uintptr_t taken = map_of(handle)->l_addr + offset;

	dlclose(handle);
	page = mmap((void *)taken, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (!check(page == (void *)taken, "%s: the page is free", what))
		return;
	*(int *)page = 42;
	handle = dlopen(library, RTLD_NOW);
	check(handle && !in_region((void *)map_of(handle)->l_addr),
	      "%s: the library is loaded elsewhere", what);
	check_eq(*(int *)page, 42, "%s: what took the page is untouched", what);
	if (handle)
		dlclose(handle);
	munmap(page, 4096);
	handle = dlopen(library, RTLD_NOW);
	check(handle && in_region((void *)map_of(handle)->l_addr),
	      "%s: it is placed when the page is free again", what);
	if (handle)
		dlclose(handle);
}

static void test_collision(const char *library)
{
	read_region();
	collide(library, 0, "text taken");
	collide(library, -4096, "pad taken");
	collide(library, 0x10000, "middle of the text taken");
}

/* The catalog's place is taken: that must not matter either. */
static void test_catalog_taken(const char *library)
{
	void *handle, *page;

	read_region();
	page = mmap((char *)info.start + MSHARE_CATALOG_OFFSET, 4096, PROT_READ,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	handle = dlopen(library, RTLD_NOW);
	check(page != MAP_FAILED && handle &&
	      !in_region((void *)map_of(handle)->l_addr),
	      "the catalog's address is taken: loaded as ever");
	if (handle)
		dlclose(handle);
	munmap(page, 4096);
	handle = dlopen(library, RTLD_NOW);
	check(handle && in_region((void *)map_of(handle)->l_addr),
	      "it is free again: placed");
}

static void test_generation(const char *library)
{
	void *handle;

	read_region();
	check(in_region((void *)libc_map()->l_addr), "it began with a region");
	check(!rename(NEXT_REGION, REGION), "there is another one now");
	handle = dlopen(library, RTLD_NOW);
	check(handle != NULL, "dlopen works");
	read_region();
	check(handle && !in_region((void *)map_of(handle)->l_addr),
	      "and does not use the new region");
}

static void test_vanished(const char *library)
{
	void *handle;

	read_region();
	check(in_region((void *)libc_map()->l_addr), "it began with a region");
	check(!unlink(REGION), "it is gone now");
	handle = dlopen(library, RTLD_NOW);
	check(handle && !in_region((void *)map_of(handle)->l_addr),
	      "dlopen works as ever");
}

/* ---- threads and unwinding --------------------------------------------- */

#define NTHREADS 8

static void *open_and_close(void *data)
{
	bool ok = true;

	for (int i = 0; i < 50; i++) {
		void *handle = dlopen(data, RTLD_NOW);

		ok &= handle != NULL;
		if (handle)
			dlclose(handle);
	}
	return ok ? data : NULL;
}

static void test_threads(char *library)
{
	pthread_t threads[NTHREADS];
	bool ok = true;

	for (int i = 0; i < NTHREADS; i++)
		pthread_create(&threads[i], NULL, open_and_close, library);
	for (int i = 0; i < NTHREADS; i++) {
		void *result;

		pthread_join(threads[i], &result);
		ok &= result != NULL;
	}
	check(ok, "%d threads open and close it", NTHREADS);
	read_region();
	check(in_region((void *)map_of(dlopen(library, RTLD_NOW))->l_addr),
	      "it is placed after that");
}

struct frames {
	bool libc, main;
};

static _Unwind_Reason_Code see_frame(struct _Unwind_Context *context, void *data)
{
	struct frames *frames = data;
	void *ip = (void *)_Unwind_GetIP(context);
	Dl_info where;

	if (in_region(ip))
		frames->libc = true;
	else if (frames->libc && dladdr(ip, &where) &&
		 strstr(where.dli_fname, "placed"))
		frames->main = true;
	return _URC_NO_REASON;
}

static int compare(const void *a, const void *b)
{
	/* qsort gives no argument for us. */
	static struct frames frames;

	_Unwind_Backtrace(see_frame, &frames);
	if (*(const int *)a == 2 && *(const int *)b == 1)
		check(frames.libc && frames.main,
		      "a backtrace passes through libc in the region");
	return *(const int *)a - *(const int *)b;
}

static bool cleaned;

static void clean(void *data)
{
	(void)data;
	cleaned = true;
}

static void *exit_deeply(void *data)
{
	pthread_cleanup_push(clean, NULL);
	pthread_exit(data);
	pthread_cleanup_pop(0);
	return NULL;
}

static void test_unwinding(void)
{
	int numbers[] = { 2, 1 };
	pthread_t thread;

	read_region();
	qsort(numbers, 2, sizeof(numbers[0]), compare);
	check_eq(numbers[0], 1, "what was sorted is sorted");
	pthread_create(&thread, NULL, exit_deeply, NULL);
	pthread_join(thread, NULL);
	check(cleaned, "a thread's exit unwinds its stack");
}

/* ---- fork during a dlopen ---------------------------------------------- */

static void *load_for_ever(void *library)
{
	for (;;) {
		void *handle = dlopen(library, RTLD_LAZY);

		if (handle)
			dlclose(handle);
	}
	return NULL;
}

static int region_descriptor(void)
{
	struct stat region, st;

	if (stat(REGION, &region))
		return -1;
	for (int fd = 3; fd < 64; fd++)
		if (!fstat(fd, &st) && st.st_dev == region.st_dev &&
		    st.st_ino == region.st_ino)
			return fd;
	return -1;
}

static void match_inode(const struct line *line, void *data)
{
	if (strstr(line->path, "memfd:foreign"))
		*(bool *)data = true;
}

enum child { NOT_CAUGHT, SOUND, FOREIGN_TEXT };

/* A child whose parent had the region open: that descriptor is reused. */
static enum child reuse_descriptor(const char *library)
{
	int fd = region_descriptor(), foreign;
	bool mapped = false;

	if (fd < 0)
		return NOT_CAUGHT;
	foreign = memfd_create("foreign", 0);
	if (ftruncate(foreign, 1L << 30) || dup2(foreign, fd) != fd)
		return NOT_CAUGHT;
	/* Whatever lock the other thread held is held for ever. */
	alarm(5);
	dlopen(library, RTLD_LAZY);
	each_line(match_inode, &mapped);
	return mapped || fcntl(fd, F_GETFD) < 0 ? FOREIGN_TEXT : SOUND;
}

static void test_fork(char *library)
{
	int caught = 0, foreign = 0, status;
	pthread_t thread;

	read_region();
	pthread_create(&thread, NULL, load_for_ever, "libm.so.6");
	for (int i = 0; i < 20000 && caught < 20; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(reuse_descriptor(library));
		waitpid(pid, &status, 0);
		if (!WIFEXITED(status))
			continue;
		caught += WEXITSTATUS(status) != NOT_CAUGHT;
		foreign += WEXITSTATUS(status) == FOREIGN_TEXT;
	}
	check(caught > 0, "children were forked during a dlopen");
	check_eq(foreign, 0, "none used the descriptor it had inherited");
}

int main(int argc, char **argv)
{
	const char *test = argc > 1 ? argv[1] : "";
	char *library = argc > 2 ? argv[2] : NULL;

	if (!strcmp(test, "startup"))
		test_startup();
	else if (!strcmp(test, "stock"))
		test_stock();
	else if (!strcmp(test, "secure"))
		test_secure();
	else if (!strcmp(test, "unwinding"))
		test_unwinding();
	else if (library && !strcmp(test, "reload"))
		test_reload(library, argc > 3 ? atoi(argv[3]) : 1000);
	else if (library && !strcmp(test, "namespace"))
		test_namespace(library);
	else if (library && !strcmp(test, "collision"))
		test_collision(library);
	else if (library && !strcmp(test, "catalog-taken"))
		test_catalog_taken(library);
	else if (library && !strcmp(test, "generation"))
		test_generation(library);
	else if (library && !strcmp(test, "vanished"))
		test_vanished(library);
	else if (library && !strcmp(test, "threads"))
		test_threads(library);
	else if (library && !strcmp(test, "fork"))
		test_fork(library);
	else
		return 2;
	return report_status();
}
