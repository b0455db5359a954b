// SPDX-License-Identifier: GPL-2.0-or-later
#include <err.h>
#include <stdio.h>

#include "json.h"

#define STYLE	(JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)

void json_set_number(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

void json_set_fraction(struct json_object *object, const char *key, double value)
{
	json_object_object_add(object, key, json_object_new_double(value));
}

void json_set_string(struct json_object *object, const char *key,
		     const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

void json_print(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, STYLE));
	json_object_put(object);
}

void json_write(const char *path, struct json_object *object)
{
	if (json_object_to_file_ext(path, object, STYLE))
		errx(1, "%s", json_util_get_last_err());
	json_object_put(object);
}
