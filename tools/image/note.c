// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an image says of itself, in a note that no loader reads.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "steps.h"

#define NOTE_NAME	"ldmshare"
#define NOTE_TYPE	1
#define NOTE_VERSION	2

/* As it stands in the file, in the machine's order: doc/image-format.md */
struct note {
	uint32_t name_size;
	uint32_t desc_size;
	uint32_t type;
	char name[12];
	uint32_t version;
	uint32_t build_id_size;
	uint64_t checksum;
	uint64_t original_size;
	int64_t ctime_sec;
	uint32_t ctime_nsec;
	uint32_t group;
	uint64_t text_offset;
	uint64_t text_size;
	uint64_t data_offset;
	uint64_t data_size;
	int64_t displacement;
	uint32_t sites[IMAGE_SITE_KINDS];
	uint32_t path_size;
	uint32_t reserved;
	unsigned char build_id[IMAGE_BUILD_ID_MAX];
	char path[];
};

/* Notes are padded to 8 bytes, so that any reader may walk over them. */
static size_t path_size(const char *path)
{
	return mshare_round_up(strlen(path) + 1, 8);
}

size_t image_note_size(const struct image_identity *identity)
{
	return sizeof(struct note) + path_size(identity->path);
}

void image_note_put(unsigned char *bytes, const struct image_note *note)
{
	const struct image_identity *identity = &note->identity;
	struct note *out = (struct note *)bytes;

	memset(out, 0, image_note_size(identity));
	*out = (struct note) {
		.name_size = sizeof(NOTE_NAME),
		.desc_size = (uint32_t)(image_note_size(identity) -
					offsetof(struct note, version)),
		.type = NOTE_TYPE,
		.name = NOTE_NAME,
		.version = NOTE_VERSION,
		.build_id_size = (uint32_t)identity->build_id_size,
		.original_size = identity->size,
		.ctime_sec = identity->ctime_sec,
		.ctime_nsec = identity->ctime_nsec,
		.group = note->place.group,
		.text_offset = note->place.text_offset,
		.text_size = note->place.text_size,
		.data_offset = note->place.data_offset,
		.data_size = note->place.data_size,
		.displacement = note->displacement,
		.path_size = (uint32_t)path_size(identity->path),
	};
	memcpy(out->sites, note->sites, sizeof(out->sites));
	memcpy(out->build_id, identity->build_id, identity->build_id_size);
	strcpy(out->path, identity->path);
}

/* All words but the one at @hole; an image's size is a multiple of 8. */
static uint64_t checksum(const unsigned char *bytes, size_t size, size_t hole)
{
	uint64_t sum = 0x9e3779b97f4a7c15ULL, word;

	for (size_t i = 0; i + 8 <= size; i += 8) {
		memcpy(&word, bytes + i, sizeof(word));
		if (i == hole)
			word = 0;
		sum = (sum ^ word) * 0xff51afd7ed558ccdULL;
		sum ^= sum >> 32;
	}
	return sum;
}

void image_note_seal(const struct image_file *image, size_t offset)
{
	size_t hole = offset + offsetof(struct note, checksum);
	uint64_t sum = checksum(image->bytes, image->size, hole);

	memcpy(image->bytes + hole, &sum, sizeof(sum));
}

static int check_note(const struct image_source *source, const struct note *in,
		      size_t size, size_t offset, struct image_verdict *verdict)
{
	if (size < sizeof(*in) || in->name_size != sizeof(NOTE_NAME) ||
	    memcmp(in->name, NOTE_NAME, sizeof(NOTE_NAME)) ||
	    in->type != NOTE_TYPE)
		return image_refuse(verdict, IMAGE_DAMAGED, "a damaged note");
	if (in->version != NOTE_VERSION)
		return image_refuse(verdict, IMAGE_DAMAGED,
				    "an image of version %u; this program knows version %d",
				    in->version, NOTE_VERSION);
	if (source->size % 8 ||
	    in->checksum != checksum(source->bytes, source->size,
				     offset + offsetof(struct note, checksum)))
		return image_refuse(verdict, IMAGE_DAMAGED,
				    "the image is damaged: its checksum is wrong");
	if (in->build_id_size > sizeof(in->build_id) ||
	    in->path_size != size - sizeof(*in) || !in->path_size ||
	    !memchr(in->path, '\0', in->path_size))
		return image_refuse(verdict, IMAGE_DAMAGED, "a damaged note");
	return 0;
}

static const Elf64_Shdr *find_note(const struct image_source *source)
{
	for (size_t i = 1; i < source->nshdr; i++)
		if (source->shdr[i].sh_type == SHT_NOTE &&
		    !(source->shdr[i].sh_flags & SHF_ALLOC) &&
		    !strcmp(image_section_name(source, i), IMAGE_NOTE_SECTION))
			return &source->shdr[i];
	return NULL;
}

int image_read_note(const struct image_source *source, struct image_note *note,
		    struct image_verdict *verdict)
{
	const Elf64_Shdr *section = find_note(source);
	const struct note *in;
	int err;

	if (!section || section->sh_offset % 8)
		return image_refuse(verdict, IMAGE_DAMAGED, "not an image");
	in = (const struct note *)(source->bytes + section->sh_offset);
	err = check_note(source, in, section->sh_size, section->sh_offset,
			 verdict);
	if (err)
		return err;
	*note = (struct image_note) {
		.identity = {
			.size = in->original_size,
			.ctime_sec = in->ctime_sec,
			.ctime_nsec = in->ctime_nsec,
			.build_id_size = in->build_id_size,
			.path = in->path,
		},
		.place = {
			.group = in->group,
			.text_offset = in->text_offset,
			.text_size = in->text_size,
			.data_offset = in->data_offset,
			.data_size = in->data_size,
		},
		.displacement = in->displacement,
	};
	memcpy(note->sites, in->sites, sizeof(note->sites));
	memcpy(note->identity.build_id, in->build_id, in->build_id_size);
	return 0;
}
