/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What debuggers are asked about: calls from and into libraries, exceptions,
 * thread-local variables, threads, libraries that are loaded later.
 *
 *	debugged [abort]	abort at the end
 *	debugged wait		say so, and wait until standard input ends
 *	debugged sort		keep libc busy
 */
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

struct meeting {
	pthread_barrier_t all_here;
};

static thread_local int local = 42;

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void *wait_for_ever(void *arg)
{
	local = 43;
	errno = 7;
	pthread_barrier_wait(&static_cast<meeting *>(arg)->all_here);
	for (;;)
		pause();
	return nullptr;
}

static void call_back()
{
	int numbers[] = { 3, 1, 2 };

	qsort(numbers, 3, sizeof(int), compare);
}

static void print_words(const std::vector<std::string> &words)
{
	errno = 5;
	puts(words[0].c_str());
}

static void throw_and_catch(const std::vector<std::string> &words)
{
	try {
		puts(words.at(7).c_str());
	} catch (const std::out_of_range &) {
		puts("caught");
	}
}

/* The version of a library, which is then closed if it may be. */
static void say_version(Lmid_t where, const char *library, const char *function)
{
	void *handle = dlmopen(where, library, RTLD_NOW);
	auto version = reinterpret_cast<const char *(*)()>(
		handle ? dlsym(handle, function) : nullptr);

	puts(version ? version() : dlerror());
	if (handle && where == LM_ID_BASE)
		dlclose(handle);
}

static void sort_for_long()
{
	std::vector<int> numbers(1 << 16);

	for (int round = 0; round < 40; round++) {
		for (size_t i = 0; i < numbers.size(); i++)
			numbers[i] = (i * 7919) % numbers.size();
		qsort(numbers.data(), numbers.size(), sizeof(int), compare);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "abort";
	std::vector<std::string> words = { "one", "two" };
	meeting two = {};
	pthread_t thread;

	if (!strcmp(what, "sort")) {
		sort_for_long();
		return 0;
	}
	call_back();
	print_words(words);
	throw_and_catch(words);
	say_version(LM_ID_BASE, "libz.so.1", "zlibVersion");
	say_version(LM_ID_BASE, "libz.so.1", "zlibVersion");
	say_version(LM_ID_NEWLM, "libsqlite3.so.0", "sqlite3_libversion");
	pthread_barrier_init(&two.all_here, nullptr, 2);
	pthread_create(&thread, nullptr, wait_for_ever, &two);
	pthread_barrier_wait(&two.all_here);
	errno = 9;
	if (!strcmp(what, "wait")) {
		char byte;

		fflush(stdout);
		return read(STDIN_FILENO, &byte, 1) != 0;
	}
	abort();
}
