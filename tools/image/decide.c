// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Split, paired or refused.
 */
#include <errno.h>
#include <string.h>

#include "steps.h"

static const char *const reasons[IMAGE_REASONS] = {
	[IMAGE_PROVEN] = "proven",
	[IMAGE_NOT_SHAREABLE] = "not-shareable",
	[IMAGE_DAMAGED] = "damaged",
	[IMAGE_NOT_TRUSTED] = "not-trusted",
	[IMAGE_LOADER] = "loader",
	[IMAGE_DYNAMIC] = "dynamic",
	[IMAGE_UNWIND] = "unwind",
	[IMAGE_UNDECODABLE] = "undecodable",
	[IMAGE_UNCOVERED] = "uncovered",
	[IMAGE_TARGET] = "target",
	[IMAGE_LARGE_MODEL] = "large-model",
	[IMAGE_TABLE] = "table",
	[IMAGE_TOO_FAR] = "too-far",
	[IMAGE_OVERRIDDEN] = "overridden",
};

const char *image_reason_name(enum image_reason reason)
{
	return reasons[reason];
}

const char *image_kind_name(enum image_kind kind)
{
	static const char *const names[] = { "split", "paired", "refused" };

	return names[kind];
}

/* Mapped by the kernel for every program: ld.so has no say in where. */
static bool is_loader(const struct image_source *source)
{
	return !strncmp(source->soname, "ld-linux", 8) ||
	       !strncmp(source->soname, "ld-musl", 7);
}

int image_decide(const struct image_source *source,
		 enum image_override override,
		 struct image_references *references,
		 struct image_verdict *verdict)
{
	int err;

	*references = (struct image_references) { 0 };
	if (is_loader(source)) {
		image_refuse(verdict, IMAGE_LOADER,
			     "a dynamic loader: the kernel maps it");
		return IMAGE_REFUSED;
	}
	if (override == IMAGE_OVERRIDE_REFUSE) {
		image_refuse(verdict, IMAGE_OVERRIDDEN,
			     "refused by the list of exceptions");
		return IMAGE_REFUSED;
	}
	err = image_find_references(source, override != IMAGE_OVERRIDE_SPLIT,
				    references, verdict);
	if (!err) {
		verdict->reason = IMAGE_PROVEN;
		return IMAGE_SPLIT;
	}
	if (err != -ENOEXEC)
		return err;
	return source->shape.text_size >= IMAGE_PAIRED_TEXT ? IMAGE_PAIRED :
							      IMAGE_REFUSED;
}
