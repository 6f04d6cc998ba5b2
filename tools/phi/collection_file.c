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

/* One file on its way into a collection. */
struct importing {
	struct phi_vdfs *v;
	uint64_t id;
	unsigned int flags;
	struct phi_vdfs_params params;
	const struct args *args;
	struct vdfs_import *im;
	off_t start; /* of the file; -1 = it cannot be read again */
	struct phi_vdfs_item *items; /* room for as many as ever came at once */
	size_t room;
	uint64_t stored;
	uint64_t unchanged; /* rows that were there already, just so */
	uint64_t rows; /* done with */
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

static int key_taken(const struct importing *in, size_t row, const char *key)
{
	return fail_because(
		"--replace gives keys that are taken the new items; rows that are stored as they are in the file are passed over",
		"the key is taken by another item", "import row %llu, key %s",
		(unsigned long long)(in->rows + row + 1), key);
}

/*
 * Leave out what an import that broke off has stored; @n becomes what is left.
 * Which row is which is not known afterwards.
 */
static int leave_out_same(struct importing *in, struct phi_vdfs_item *items,
			  size_t *n)
{
	size_t i, left = 0;
	int ret;

	for (i = 0; i < *n; i++) {
		struct beside b = { in, &items[i], false };

		ret = phi_vdfs_collection_get(in->v, in->id, items[i].key,
					      compare, &b);
		if (!ret && !b.same)
			return key_taken(in, i, items[i].key);
		if (ret && ret != -ENOENT)
			return vdfs_fail(ret, "read %s", items[i].key);
		if (ret)
			items[left++] = items[i];
	}
	*n = left;
	return EXIT_OK;
}

/* Insert some of them; says what is wrong with which. */
static int insert_some(struct importing *in, struct phi_vdfs_item *items,
		       size_t n)
{
	size_t failed = 0, left = n;
	int ret;

	ret = phi_vdfs_collection_insert(in->v, in->id, items, n, in->flags,
					 &failed);
	if (ret == -EEXIST) {
		ret = leave_out_same(in, items, &left);
		if (ret)
			return ret;
		ret = left ? phi_vdfs_collection_insert(in->v, in->id, items,
							left, in->flags,
							&failed) :
			     0;
	}
	if (!ret) {
		in->rows += n;
		in->stored += left;
		in->unchanged += n - left;
		return EXIT_OK;
	}
	if (failed >= left)
		failed = 0;
	if (left == n)
		return vdfs_fail(
			ret, "import row %llu, key %s; %llu rows are stored",
			(unsigned long long)(in->rows + failed + 1),
			items[failed].key, (unsigned long long)in->stored);
	return vdfs_fail_at(ret, &wrong_item,
			    "import key %s; %llu rows are stored",
			    items[failed].key, (unsigned long long)in->stored);
}

static int insert_all(struct importing *in, const struct vdfs_item *items,
		      size_t n)
{
	size_t bytes = 0, first = 0, i;
	int ret = EXIT_OK;

	if (n > in->room) {
		in->items =
			must(reallocarray(in->items, n, sizeof(*in->items)));
		in->room = n;
	}
	for (i = 0; i < n && !ret; i++) {
		const char *metadata = items[i].metadata;

		in->items[i] = (struct phi_vdfs_item){
			.key = items[i].key,
			.vector = items[i].vector,
			.dim = items[i].dim,
			.metadata = metadata,
		};
		bytes += items[i].dim * sizeof(float) + strlen(items[i].key) +
			 (metadata ? strlen(metadata) : 0) + 32;
		if (bytes < INSERT_BYTES && i + 1 < n)
			continue;
		ret = insert_some(in, in->items + first, i + 1 - first);
		first = i + 1;
		bytes = 0;
	}
	return ret;
}

static int import_all(struct importing *in)
{
	const struct vdfs_item *items;
	struct vdfs_teller t;
	size_t n = 1;
	int ret = EXIT_OK, err = 0;

	vdfs_teller_init(&t, "stored", "items");
	while (!ret && n) {
		err = vdfs_import_next(in->im, &items, &n);
		if (err)
			break;
		ret = insert_all(in, items, n);
		vdfs_tell(&t, in->stored, 0);
	}
	vdfs_teller_end(&t);
	if (err)
		return fail_because(
			in->rows ?
				"the rows before it are stored; import all of the mended file" :
				NULL,
			vdfs_import_why(in->im), "import %s",
			in->args->operand[1]);
	if (ret)
		return ret;
	out_u64("items", in->stored);
	out_u64("unchanged", in->unchanged);
	return out_end();
}

/* Read all of it before anything is stored, where it can be read again. */
static int check_all(struct importing *in,
		     const struct vdfs_import_options *options, int fd)
{
	const struct vdfs_item *items;
	uint32_t dim = in->params.dim;
	struct vdfs_teller t;
	uint64_t rows = 0;
	size_t n = 1;
	int ret = 0;

	if (in->start < 0)
		return EXIT_OK;
	vdfs_teller_init(&t, "checked", "items");
	while (n && !(ret = vdfs_import_next(in->im, &items, &n))) {
		if (n && items[0].dim != dim)
			break;
		rows += n;
		vdfs_tell(&t, rows, 0);
	}
	vdfs_teller_end(&t);
	if (!ret && n)
		return vdfs_fail(
			-EMSGSIZE,
			"import %s: its vectors have %u elements, those of the collection %u",
			in->args->operand[1], items[0].dim, dim);
	if (ret)
		return fail_because("nothing was stored",
				    vdfs_import_why(in->im), "import %s",
				    in->args->operand[1]);
	vdfs_import_close(in->im);
	in->im = NULL;
	if (lseek(fd, in->start, SEEK_SET) < 0)
		return fail(-errno, "read %s again", in->args->operand[1]);
	ret = vdfs_import_open(fd, options, &in->im);
	return ret ? fail(ret, "read %s again", in->args->operand[1]) : EXIT_OK;
}

static int import_file(struct args *args,
		       const struct vdfs_import_options *options, int fd)
{
	struct importing in = { .args = args,
				/* Opening reads what a file begins with. */
				.start = lseek(fd, 0, SEEK_CUR) };
	int ret;

	if (args_option(args, "replace"))
		in.flags = PHI_VDFS_REPLACE;
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
