// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "figures.h"
#include "json.h"
#include "table.h"

static void set_cell(struct json_object *object, const char *key,
		     const char *format, double value)
{
	char text[32];

	snprintf(text, sizeof(text), format, value);
	json_set_string(object, key, text);
}

void figures_add(struct json_object *figures, const char *name,
		 const char *unit, const double value[SIDES], double aim)
{
	struct json_object *object = json_object_new_object();
	bool alone = value[STOCK] < 0;
	double measured = alone ? value[OURS] : 100 * value[OURS] / value[STOCK];

	json_set_string(object, "name", name);
	json_set_string(object, "unit", unit);
	if (!alone) {
		json_set_fraction(object, "stock", value[STOCK]);
		json_set_fraction(object, "percent", measured);
	}
	json_set_fraction(object, "ours", value[OURS]);
	if (aim != NO_AIM) {
		json_set_fraction(object, "aim", aim);
		json_object_object_add(object, "held",
				       json_object_new_boolean(measured <= aim));
	}
	json_object_array_add(figures, object);
}

/* The same in words, for the table. */
static struct json_object *row_of(struct json_object *figure)
{
	struct json_object *row = json_object_new_object(), *stock, *aim;
	double ours = json_object_get_double(json_object_object_get(figure, "ours"));
	bool alone = !json_object_object_get_ex(figure, "stock", &stock);

	json_set_string(row, "name", json_object_get_string(
				json_object_object_get(figure, "name")));
	json_set_string(row, "unit", json_object_get_string(
				json_object_object_get(figure, "unit")));
	set_cell(row, "stock", alone ? "" : "%.0f",
		 alone ? 0 : json_object_get_double(stock));
	set_cell(row, "ours", "%.0f", ours);
	set_cell(row, "percent", alone ? "" : "%.1f %%",
		 alone ? 0 : json_object_get_double(
				json_object_object_get(figure, "percent")));
	if (!json_object_object_get_ex(figure, "aim", &aim)) {
		json_set_string(row, "aim", "");
		json_set_string(row, "held", "");
		return row;
	}
	set_cell(row, "aim", alone ? "%.0f" : "%.0f %%",
		 json_object_get_double(aim));
	json_set_string(row, "held", json_object_get_boolean(
				json_object_object_get(figure, "held")) ?
			"yes" : "no");
	return row;
}

void figures_print(struct json_object *figures)
{
	static const struct column columns[] = {
		{ "figure", "name", COLUMN_TEXT },
		{ "unit", "unit", COLUMN_TEXT },
		{ "stock", "stock", COLUMN_TEXT },
		{ "ours", "ours", COLUMN_TEXT },
		{ "of stock", "percent", COLUMN_TEXT },
		{ "aim", "aim", COLUMN_TEXT },
		{ "held", "held", COLUMN_TEXT },
		{ NULL, NULL, COLUMN_TEXT }
	};
	struct json_object *rows = json_object_new_array();

	for (size_t i = 0; i < json_object_array_length(figures); i++)
		json_object_array_add(rows, row_of(
				json_object_array_get_idx(figures, i)));
	table_print(rows, columns);
	json_object_put(rows);
}
