/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Output for programs. */
#ifndef JSON_H
#define JSON_H

#include <stdint.h>

#include <json-c/json.h>

/**
 * json_set_number() - give an object a number, exactly
 * @object: the object
 * @key:    its name
 * @value:  its value
 */
void json_set_number(struct json_object *object, const char *key,
		     uint64_t value);

/**
 * json_set_fraction() - give an object a number with a fraction
 * @object: the object
 * @key:    its name
 * @value:  its value
 */
void json_set_fraction(struct json_object *object, const char *key,
		       double value);

/**
 * json_set_string() - give an object a string
 * @object: the object
 * @key:    its name
 * @value:  its value
 */
void json_set_string(struct json_object *object, const char *key,
		     const char *value);

/**
 * json_print() - write it to standard output and forget it
 * @object: the outermost object
 */
void json_print(struct json_object *object);

/**
 * json_write() - write it to a file and forget it
 * @path:   the file
 * @object: the outermost object
 *
 * Ends the program if that fails.
 */
void json_write(const char *path, struct json_object *object);

#endif /* JSON_H */
