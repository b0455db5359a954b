/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PROCESSES_H
#define PROCESSES_H

#include <stddef.h>

/**
 * process_number() - the process a text names
 * @text: a number, such as a name in /proc
 *
 * Return: its pid, -1 if it names none.
 */
int process_number(const char *text);

/**
 * for_each_process() - call a function for each process there is
 * @fn:	     the function; the process may be gone when it is called
 * @context: what it gets
 *
 * Ends the program if /proc cannot be read.
 */
void for_each_process(void (*fn)(int pid, void *context), void *context);

/**
 * for_each_mapping() - call a function for each mapping of all processes
 * @fn:	     the function, with a line of /proc/PID/maps
 * @context: what it gets
 *
 * Processes whose mappings we may not see have none.
 */
void for_each_mapping(void (*fn)(int pid, const char *line, void *context),
		      void *context);

/**
 * read_command() - the name of a process
 * @pid:	the process
 * @command:	receives it, "?" if it is gone
 * @size:	bytes at @command
 */
void read_command(int pid, char *command, size_t size);

#endif /* PROCESSES_H */
