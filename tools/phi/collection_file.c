// SPDX-License-Identifier: GPL-2.0-only
/* Collections: items from files and to files. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/phi/vectors/export.h"
#include "out.h"
#include "out_tree.h"
#include "vdfs_cli.h"

/* About as many bytes go into one insert. */
#define INSERT_BYTES (2U << 20)

static const char *const formats[] = {
	[VDFS_FORMAT_FVECS] = "fvecs", [VDFS_FORMAT_BVECS] = "bvecs",
	[VDFS_FORMAT_IVECS] = "ivecs", [VDFS_FORMAT_NPY] = "npy",
	[VDFS_FORMAT_IDX] = "idx",     [VDFS_FORMAT_JSONL] = "jsonl",
};

/* The format asked for, or that of the file's name. */
static int find_format(const struct args *args, const char *path,
		       enum vdfs_format *format)
{
	const char *text = args_option(args, "format");
	size_t i;

	for (i = 0; text && i < ARRAY_SIZE(formats); i++) {
		if (!strcmp(formats[i], text)) {
			*format = (enum vdfs_format)i;
			return EXIT_OK;
		}
	}
	if (text)
		return usage_error(args, "there is no --format %s", text);
	if (vdfs_import_format(path, format))
		return usage_error(args,
				   "the name %s tells no format; give --format",
				   path);
	return EXIT_OK;
}

static int option_shift(const struct args *args, float *shift)
{
	const char *text = args_option(args, "shift");
	char *end;

	if (!text)
		return EXIT_OK;
	*shift = strtof(text, &end);
	if (end == text || *end)
		return usage_error(args, "--shift %s is no number", text);
	return EXIT_OK;
}

/*
 * One file on its way into a collection. A file that can be read again is read
 * twice: first all of it is checked, here and by the daemon, and nothing is
 * stored; so a fault that can be mended in the file leaves nothing behind. A
 * pipe is stored as it comes. An import that ends for another reason, a kill
 * too, leaves whole items, and the next import of the file passes over these.
 */
struct importing {
	struct phi_vdfs *v;
	uint64_t id;
	unsigned int flags;
	bool checking; /* the first time */
	struct phi_vdfs_params params;
	const struct args *args;
	struct vdfs_import *im;
	off_t start; /* of the file; -1 = it cannot be read again */
	struct phi_vdfs_item *items; /* room for as many as ever came at once */
	uint64_t *places; /* row or line of each, from 1 */
	size_t room;
	uint64_t stored;
	uint64_t unchanged; /* items that were there already, just so */
};

/* Half precision keeps eleven bits of an element. */
static bool same_vector(const struct importing *in,
			const struct phi_vdfs_item *a,
			const struct phi_vdfs_item *b)
{
	float part = in->params.type == PHI_VDFS_F16 ? 1.0f / 1024 : 0;
	uint32_t d;

	for (d = 0; a->dim == b->dim && d < a->dim; d++)
		if (fabsf(a->vector[d] - b->vector[d]) >
		    part * (fabsf(a->vector[d]) + 0.0001f))
			return false;
	return a->dim == b->dim;
}

static bool same_metadata(const char *a, const char *b)
{
	json_t *x = json_loads(a && *a ? a : "{}", 0, NULL);
	json_t *y = json_loads(b && *b ? b : "{}", 0, NULL);
	bool same = x && y && json_equal(x, y);

	json_decref(x);
	json_decref(y);
	return same;
}

/* An item of the file beside that of its key in the collection. */
struct beside {
	const struct importing *in;
	const struct phi_vdfs_item *item;
	bool same;
};

static int compare(void *arg, const struct phi_vdfs_item *item, uint32_t query,
		   float dist)
{
	struct beside *b = arg;

	(void)query;
	(void)dist;
	b->same = same_vector(b->in, b->item, item) &&
		  same_metadata(b->item->metadata, item->metadata);
	return 0;
}

/* "line 7, key k": to be freed. */
static char *place_of(const struct importing *in, size_t i)
{
	char *text;

	if (asprintf(&text, "import %s %llu, key %s", vdfs_import_unit(in->im),
		     (unsigned long long)in->places[i], in->items[i].key) < 0)
		text = NULL;
	return must(text);
}

/* Say how many items are stored, and how to go on: to be freed. */
static char *outcome(const struct importing *in)
{
	char *text;

	if (!in->stored)
		return must(strdup("nothing was stored"));
	if (asprintf(
		    &text,
		    "%llu items are stored; import all of the mended file, which passes over those that are stored as they are in it",
		    (unsigned long long)in->stored) < 0)
		text = NULL;
	return must(text);
}

static int key_taken(const struct importing *in, size_t i)
{
	char *place = place_of(in, i);
	char *left = outcome(in);
	char *hint;
	int ret;

	if (asprintf(&hint,
		     "%s; --replace gives keys that are taken the new items",
		     left) < 0)
		hint = NULL;
	ret = fail_because(must(hint), "the key is taken by another item", "%s",
			   place);
	free(hint);
	free(left);
	free(place);
	return ret;
}

/* Say which item the daemon refused. */
static int refused(const struct importing *in, size_t i, int err)
{
	char *place = place_of(in, i);
	char *left = outcome(in);
	int ret;

	ret = vdfs_fail_at(err, &wrong_item, "%s: %s", place, left);
	free(left);
	free(place);
	return ret;
}

/*
 * Leave out what is stored already, just so; what is left moves to @first, and
 * @n becomes how many that are.
 */
static int leave_out_same(struct importing *in, size_t first, size_t *n)
{
	size_t left = first, i;
	int ret;

	for (i = first; i < first + *n; i++) {
		struct beside b = { in, &in->items[i], false };

		ret = phi_vdfs_collection_get(in->v, in->id, in->items[i].key,
					      compare, &b);
		if (!ret && !b.same)
			return key_taken(in, i);
		if (ret && ret != -ENOENT)
			return refused(in, i, ret);
		if (!ret)
			continue;
		in->items[left] = in->items[i];
		in->places[left++] = in->places[i];
	}
	*n = left - first;
	return EXIT_OK;
}

/* Insert or check some of them; says what is wrong with which. */
static int insert_some(struct importing *in, size_t first, size_t n)
{
	unsigned int flags = in->flags | (in->checking ? PHI_VDFS_CHECK : 0);
	size_t failed = 0, left = n;
	int ret;

	ret = phi_vdfs_collection_insert(in->v, in->id, in->items + first, n,
					 flags, &failed);
	if (ret == -EEXIST) {
		ret = leave_out_same(in, first, &left);
		if (ret)
			return ret;
		ret = phi_vdfs_collection_insert(
			in->v, in->id, in->items + first, left, flags, &failed);
	}
	if (ret)
		return refused(in, first + (failed < left ? failed : 0), ret);
	if (!in->checking) {
		in->stored += left;
		in->unchanged += n - left;
	}
	return EXIT_OK;
}

static void make_room(struct importing *in, size_t n)
{
	if (n <= in->room)
		return;
	in->items = must(reallocarray(in->items, n, sizeof(*in->items)));
	in->places = must(reallocarray(in->places, n, sizeof(*in->places)));
	in->room = n;
}

static int insert_all(struct importing *in, const struct vdfs_item *items,
		      size_t n)
{
	size_t bytes = 0, first = 0, i;
	int ret = EXIT_OK;

	make_room(in, n);
	for (i = 0; i < n && !ret; i++) {
		const char *metadata = items[i].metadata;

		in->items[i] = (struct phi_vdfs_item){
			.key = items[i].key,
			.vector = items[i].vector,
			.dim = items[i].dim,
			.metadata = metadata,
		};
		in->places[i] = vdfs_import_place_of(in->im, i);
		bytes += items[i].dim * sizeof(float) + strlen(items[i].key) +
			 (metadata ? strlen(metadata) : 0) + 32;
		if (bytes < INSERT_BYTES && i + 1 < n)
			continue;
		ret = insert_some(in, first, i + 1 - first);
		first = i + 1;
		bytes = 0;
	}
	return ret;
}

/* The vectors of the file have another length than the collection's. */
static int wrong_dim(const struct importing *in, uint32_t dim)
{
	return vdfs_fail(
		-EMSGSIZE,
		"import %s: its vectors have %u elements, those of the collection %u",
		in->args->operand[1], dim, in->params.dim);
}

/* Go through the file once. */
static int read_all(struct importing *in)
{
	const struct vdfs_item *items;
	struct vdfs_teller t;
	uint64_t rows = 0;
	size_t n = 1;
	int ret = EXIT_OK, err = 0;
	char *left;

	vdfs_teller_init(&t, in->checking ? "checked" : "stored", "items");
	while (!ret && n) {
		err = vdfs_import_next(in->im, &items, &n);
		if (err || !n)
			break;
		if (items[0].dim != in->params.dim)
			ret = wrong_dim(in, items[0].dim);
		else
			ret = insert_all(in, items, n);
		rows += n;
		vdfs_tell(&t, rows, 0);
	}
	vdfs_teller_end(&t);
	if (!err)
		return ret;
	left = outcome(in);
	ret = fail_because(left, vdfs_import_why(in->im), "import %s",
			   in->args->operand[1]);
	free(left);
	return ret;
}

/* Check all of it before anything is stored, where it can be read again. */
static int check_all(struct importing *in, struct vdfs_import_options *options,
		     int fd)
{
	int ret;

	if (in->start < 0)
		return EXIT_OK;
	in->checking = true;
	ret = read_all(in);
	in->checking = false;
	if (ret)
		return ret;
	vdfs_import_close(in->im);
	in->im = NULL;
	if (lseek(fd, in->start, SEEK_SET) < 0)
		return fail(-errno, "read %s again", in->args->operand[1]);
	options->unique = false;
	ret = vdfs_import_open(fd, options, &in->im);
	return ret ? fail(ret, "read %s again", in->args->operand[1]) : EXIT_OK;
}

static int import_all(struct importing *in)
{
	int ret = read_all(in);

	if (ret)
		return ret;
	out_u64("items", in->stored);
	out_u64("unchanged", in->unchanged);
	return out_end();
}

static int import_file(struct args *args, struct vdfs_import_options *options,
		       int fd)
{
	struct importing in = { .args = args,
				/* Opening reads what a file begins with. */
				.start = lseek(fd, 0, SEEK_CUR) };
	int ret;

	if (args_option(args, "replace"))
		in.flags = PHI_VDFS_REPLACE;
	/* With --replace the last item of a key stays. */
	options->unique = !in.flags;
	ret = vdfs_import_open(fd, options, &in.im);
	if (ret) {
		/* The text of vdfs_import_why() lives as long as the file. */
		ret = fail_because(
			NULL, in.im ? vdfs_import_why(in.im) : strerror(-ret),
			"import %s", args->operand[1]);
		vdfs_import_close(in.im);
		return ret;
	}
	ret = collection_begin(args, 0, &in.v, &in.id, &in.params);
	if (!ret) {
		ret = check_all(&in, options, fd);
		if (!ret)
			ret = import_all(&in);
		phi_vdfs_close(in.v);
	}
	vdfs_import_close(in.im);
	free(in.items);
	free(in.places);
	return ret;
}

int collection_import(struct args *args)
{
	struct vdfs_import_options options = { .first = 0 };
	const char *path = args->operand[1];
	int fd = STDIN_FILENO;
	int ret;

	options.prefix = args_option(args, "prefix");
	if (find_format(args, path, &options.format) ||
	    option_shift(args, &options.shift))
		return EXIT_USAGE;
	if (strcmp(path, "-")) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return fail_because(NULL, strerror(errno), "read %s",
					    path);
	}
	ret = import_file(args, &options, fd);
	if (fd != STDIN_FILENO)
		close(fd);
	return ret;
}

/* Where items go, and how many went. */
struct exporting {
	struct vdfs_export *ex;
	struct vdfs_teller teller;
	uint64_t items;
};

static int export_item(void *arg, const struct phi_vdfs_item *item,
		       uint32_t query, float dist)
{
	struct exporting *out = arg;
	struct vdfs_item it = { .key = item->key,
				.vector = item->vector,
				.dim = item->dim,
				.metadata = item->metadata };

	(void)query;
	vdfs_tell(&out->teller, ++out->items, 0);
	return vdfs_export_item(out->ex, &it, dist);
}

static int export_all(struct args *args, enum vdfs_format format, int fd)
{
	uint32_t want = PHI_VDFS_VECTORS | PHI_VDFS_METADATA;
	struct phi_vdfs_params params;
	struct exporting out = { 0 };
	struct phi_vdfs *v;
	uint64_t id;
	int ret, end;

	ret = collection_begin(args, PHI_VDFS_OPEN_READ, &v, &id, &params);
	if (ret)
		return ret;
	vdfs_teller_init(&out.teller, "written", "items");
	ret = vdfs_export_open(fd, format, params.dim, &out.ex);
	if (!ret) {
		ret = phi_vdfs_collection_walk(v, id, want, export_item, &out);
		end = vdfs_export_close(out.ex);
		ret = ret ? ret : end;
	}
	vdfs_teller_end(&out.teller);
	phi_vdfs_close(v);
	if (ret == -EILSEQ)
		return fail_because("write it as .fvecs or .npy, without keys",
				    "a key is no UTF-8, which JSON cannot hold",
				    "export %s", args->operand[0]);
	return ret ? fail_because(NULL, strerror(-ret), "export %s to %s",
				  args->operand[0], args->operand[1]) :
		     EXIT_OK;
}

int collection_export(struct args *args)
{
	const char *path = args->operand[1];
	enum vdfs_format format;
	int fd = STDOUT_FILENO;
	int ret;

	if (find_format(args, path, &format))
		return EXIT_USAGE;
	if (strcmp(path, "-")) {
		fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (fd < 0)
			return fail_because(NULL, strerror(errno), "write %s",
					    path);
	}
	ret = export_all(args, format, fd);
	if (fd != STDOUT_FILENO && close(fd) && !ret)
		ret = fail_because(NULL, strerror(errno), "write %s", path);
	return ret;
}
