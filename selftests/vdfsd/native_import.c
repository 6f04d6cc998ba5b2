// SPDX-License-Identifier: GPL-2.0-only
/* Import and export: what comes back, and what is refused and why. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <tools/phi/vectors/export.h>

#include "vectors.h"

#define DIM 5
#define ROWS 10000

/**
 * struct got - what an import gave
 * @n: Items.
 * @first: Key of the first.
 * @last: Key of the last.
 * @metadata: Of the last; "" = none.
 * @vector: Of the last.
 * @sum: Of all elements.
 * @dim: Their length.
 * @place: Row or line of the last.
 * @unit: "row" or "line".
 * @why: The reason when it failed.
 */
struct got {
	size_t n;
	char first[VDFS_KEY_MAX + 1];
	char last[VDFS_KEY_MAX + 1];
	char metadata[256];
	float vector[16];
	double sum;
	uint32_t dim;
	uint64_t place;
	const char *unit;
	char why[256];
};

static void take(struct got *got, const struct vdfs_item *item)
{
	uint32_t d;

	if (!got->n++)
		snprintf(got->first, sizeof(got->first), "%s", item->key);
	snprintf(got->last, sizeof(got->last), "%s", item->key);
	snprintf(got->metadata, sizeof(got->metadata), "%s",
		 item->metadata ? item->metadata : "");
	got->dim = item->dim;
	for (d = 0; d < item->dim; d++) {
		got->sum += item->vector[d];
		if (d < 16)
			got->vector[d] = item->vector[d];
	}
}

static int import_fd(int fd, const struct vdfs_import_options *options,
		     struct got *got)
{
	const struct vdfs_item *items;
	struct vdfs_import *im;
	size_t n, i;
	int ret;

	memset(got, 0, sizeof(*got));
	ret = vdfs_import_open(fd, options, &im);
	while (!ret) {
		ret = vdfs_import_next(im, &items, &n);
		if (ret || !n)
			break;
		for (i = 0; i < n; i++)
			take(got, &items[i]);
		got->place = vdfs_import_place_of(im, n - 1);
		got->unit = vdfs_import_unit(im);
	}
	if (ret)
		snprintf(got->why, sizeof(got->why), "%s", vdfs_import_why(im));
	vdfs_import_close(im);
	return ret;
}

static int memory_file(const void *data, size_t len)
{
	int fd = memfd_create("import", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len ||
	    lseek(fd, 0, SEEK_SET))
		abort();
	return fd;
}

static bool unique; /* of all that import() reads */

static int import(enum vdfs_format format, const void *data, size_t len,
		  struct got *got)
{
	struct vdfs_import_options options = { .format = format,
					       .unique = unique };
	int fd = memory_file(data, len);
	int ret = import_fd(fd, &options, got);

	close(fd);
	return ret;
}

static int lines(const char *text, struct got *got)
{
	return import(VDFS_FORMAT_JSONL, text, strlen(text), got);
}

TEST(formats_are_known_by_name)
{
	enum vdfs_format format;

	EXPECT_EQ(0, vdfs_import_format("a/b.fvecs", &format));
	EXPECT_EQ(VDFS_FORMAT_FVECS, format);
	EXPECT_EQ(0, vdfs_import_format("x.npy", &format));
	EXPECT_EQ(VDFS_FORMAT_NPY, format);
	EXPECT_EQ(0, vdfs_import_format("train-images-idx3-ubyte", &format));
	EXPECT_EQ(VDFS_FORMAT_IDX, format);
	EXPECT_EQ(0, vdfs_import_format("x.ndjson", &format));
	EXPECT_EQ(VDFS_FORMAT_JSONL, format);
	EXPECT_EQ(-EINVAL, vdfs_import_format("x.txt", &format));
	EXPECT_EQ(-EINVAL, vdfs_import_format("", &format));
}

/* Written by export, read by import: the same. */
static int round_trip(enum vdfs_format format, const float *rows,
		      struct got *got)
{
	struct vdfs_import_options options = { .format = format };
	int fd = memfd_create("export", MFD_CLOEXEC);
	struct vdfs_item item = { .dim = DIM };
	struct vdfs_export *ex;
	char key[32];
	size_t i;
	int ret;

	ret = vdfs_export_open(fd, format, DIM, &ex);
	for (i = 0; i < ROWS && !ret; i++) {
		snprintf(key, sizeof(key), "k\"\xc3\xa9 %zu", i);
		item.key = key;
		item.metadata = "{\"a\":\n 0.10,\"b\": \"x\\\"\\n\"}";
		item.vector = rows + i * DIM;
		ret = vdfs_export_item(ex, &item, 0);
	}
	if (!ret)
		ret = vdfs_export_close(ex);
	lseek(fd, 0, SEEK_SET);
	if (!ret)
		ret = import_fd(fd, &options, got);
	close(fd);
	return ret;
}

TEST(what_is_exported_comes_back)
{
	static const enum vdfs_format formats[] = { VDFS_FORMAT_FVECS,
						    VDFS_FORMAT_NPY,
						    VDFS_FORMAT_JSONL };
	float *rows = vectors_clustered(ROWS, DIM, 9, 1);
	double sum = 0;
	struct got got;
	size_t i;

	for (i = 0; i < ROWS * DIM; i++)
		sum += rows[i];
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, round_trip(formats[i], rows, &got))
		{
			TH_LOG("%s", got.why);
		}
		EXPECT_EQ(ROWS, got.n);
		EXPECT_EQ(DIM, got.dim);
		EXPECT_EQ(sum, got.sum);
		EXPECT_EQ(0, memcmp(got.vector, rows + (ROWS - 1) * DIM,
				    DIM * sizeof(float)));
		EXPECT_STREQ(i < 2 ? "0000009999" : "k\"\xc3\xa9 9999",
			     got.last);
	}
	/* Numbers keep their digits, strings their line ends. */
	EXPECT_STREQ("{\"a\":  0.10,\"b\": \"x\\\"\\n\"}", got.metadata);
	free(rows);
}

TEST(export_refuses_what_it_cannot_write)
{
	float v[DIM] = { 0 };
	struct vdfs_item item = { .key = "\xff", .vector = v, .dim = DIM };
	struct vdfs_export *ex;
	int pipes[2];
	int fd = memfd_create("export", MFD_CLOEXEC);
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(-EINVAL, vdfs_export_open(fd, VDFS_FORMAT_BVECS, DIM, &ex));
	EXPECT_EQ(-ESPIPE,
		  vdfs_export_open(pipes[1], VDFS_FORMAT_NPY, DIM, &ex));
	ASSERT_EQ(0, vdfs_export_open(fd, VDFS_FORMAT_JSONL, DIM, &ex));
	EXPECT_EQ(-EILSEQ, vdfs_export_item(ex, &item, 0));
	EXPECT_EQ(-EILSEQ, vdfs_export_close(ex));
	ASSERT_EQ(0, vdfs_export_open(full, VDFS_FORMAT_FVECS, DIM, &ex));
	EXPECT_EQ(0, vdfs_export_item(ex, &item, 0));
	item.dim--;
	EXPECT_EQ(-EINVAL, vdfs_export_item(ex, &item, 0));
	EXPECT_EQ(-ENOSPC, vdfs_export_close(ex));
	close(fd);
	close(full);
	close(pipes[0]);
	close(pipes[1]);
}

TEST(rows_of_bytes_may_be_shifted)
{
	static const unsigned char data[] = { 3, 0, 0, 0, 0,   128, 255,
					      3, 0, 0, 0, 255, 1,   2 };
	struct vdfs_import_options options = { .format = VDFS_FORMAT_BVECS,
					       .prefix = "sift-",
					       .first = 100,
					       .shift = -128 };
	int fd = memory_file(data, sizeof(data));
	struct got got;

	ASSERT_EQ(0, import_fd(fd, &options, &got));
	EXPECT_EQ(2, got.n);
	EXPECT_STREQ("sift-0000000100", got.first);
	EXPECT_STREQ("sift-0000000101", got.last);
	EXPECT_EQ(127.0f, got.vector[0]);
	EXPECT_EQ(-126.0f, got.vector[2]);
	close(fd);
}

TEST(rows_with_lengths_are_checked)
{
	static const float nan_row[] = { 0, 1, NAN, 3 };
	uint32_t row[8] = { 2, 0, 0, 2, 0, 0 };
	unsigned char copy[sizeof(nan_row)];
	struct got got;

	EXPECT_EQ(0, import(VDFS_FORMAT_FVECS, row, 24, &got));
	EXPECT_EQ(2, got.n);
	EXPECT_EQ(0, import(VDFS_FORMAT_FVECS, row, 0, &got));
	EXPECT_EQ(0, got.n);
	EXPECT_EQ(-EBADMSG, import(VDFS_FORMAT_FVECS, row, 23, &got));
	EXPECT_EQ(1, got.n);
	EXPECT_STREQ("row 2: the file ends in the middle of it", got.why);
	EXPECT_EQ(-EBADMSG, import(VDFS_FORMAT_FVECS, row, 16, &got));
	EXPECT_EQ(-EBADMSG, import(VDFS_FORMAT_FVECS, row, 14, &got));
	EXPECT_EQ(-EBADMSG, import(VDFS_FORMAT_FVECS, row, 4, &got));
	row[3] = 3;
	EXPECT_EQ(-EMSGSIZE, import(VDFS_FORMAT_FVECS, row, 28, &got));
	EXPECT_STREQ("row 2 has 3 elements, those before have 2", got.why);
	row[0] = 0;
	EXPECT_EQ(-EMSGSIZE, import(VDFS_FORMAT_FVECS, row, 28, &got));
	row[0] = 0xffffffff;
	EXPECT_EQ(-EMSGSIZE, import(VDFS_FORMAT_FVECS, row, 28, &got));
	row[0] = VDFS_DIM_MAX + 1;
	EXPECT_EQ(-EMSGSIZE, import(VDFS_FORMAT_FVECS, row, 28, &got));
	memcpy(copy, nan_row, sizeof(copy));
	memcpy(copy, &(uint32_t){ 3 }, 4);
	EXPECT_EQ(-EDOM, import(VDFS_FORMAT_FVECS, copy, sizeof(copy), &got));
	EXPECT_STREQ("row 1, element 2 is no finite f32 number", got.why);
	row[0] = 1;
	row[1] = 1 << 24;
	EXPECT_EQ(0, import(VDFS_FORMAT_IVECS, row, 8, &got));
	EXPECT_EQ(16777216.0, got.sum);
	row[1]++;
	EXPECT_EQ(-EDOM, import(VDFS_FORMAT_IVECS, row, 8, &got));
}

/* A .npy file of version 1, or of 2. */
static size_t npy(char *out, int version, const char *head, const void *data,
		  size_t len)
{
	size_t n = strlen(head);

	memcpy(out, "\x93NUMPY", 6);
	out[6] = (char)version;
	out[7] = 0;
	out[8] = (char)n;
	out[9] = (char)(n >> 8);
	out += 10;
	if (version > 1) {
		*out++ = 0;
		*out++ = 0;
	}
	memcpy(out, head, n);
	if (len)
		memcpy(out + n, data, len);
	return (version > 1 ? 12 : 10) + n + len;
}

#define NPY(type, shape) \
	"{'descr': '" type "', 'fortran_order': False, 'shape': " shape ", }\n"

TEST(npy_of_every_type)
{
	static const double f8[] = { 1.5, -2, 3, 4 };
	static const float f4[] = { 1.5, -2, 3, 4 };
	static const uint16_t f2[] = { 0x3e00, 0xc000, 0x4200, 0x4400 };
	static const uint16_t odd[] = { 0x0001, 0x8400, 0x7bff, 0 };
	static const signed char i1[] = { 1, -2, 3, 4 };
	const struct {
		const char *head;
		const void *data;
		size_t len;
		double sum;
	} files[] = {
		{ NPY("<f8", "(2, 2)"), f8, sizeof(f8), 6.5 },
		{ NPY("<f4", "(2, 2)"), f4, sizeof(f4), 6.5 },
		{ NPY("<f2", "(2, 2)"), f2, sizeof(f2), 6.5 },
		{ NPY("<f2", "(2, 2)"), odd, sizeof(odd),
		  65504 + ldexp(1, -24) - ldexp(1, -14) },
		{ NPY("|i1", "(2,2)"), i1, sizeof(i1), 6 },
		{ NPY("|u1", "(1, 2, 2)"), i1, sizeof(i1), 262 },
		{ "{'shape':(4,1),'fortran_order':False,'descr':'|i1'}", i1, 4,
		  6 },
	};
	char file[1000];
	struct got got;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		size_t len = npy(file, i % 2 + 1, files[i].head, files[i].data,
				 files[i].len);

		EXPECT_EQ(0, import(VDFS_FORMAT_NPY, file, len, &got))
		{
			TH_LOG("%s: %s", files[i].head, got.why);
		}
		EXPECT_EQ(files[i].sum, got.sum)
		{
			TH_LOG("%s: %f", files[i].head, got.sum);
		}
		/* One byte less or more is not what it says. */
		EXPECT_EQ(-EBADMSG,
			  import(VDFS_FORMAT_NPY, file, len - 1, &got));
		EXPECT_EQ(-EBADMSG,
			  import(VDFS_FORMAT_NPY, file, len + 1, &got));
	}
}

TEST(npy_that_is_refused)
{
	static const struct {
		const char *head;
		int error;
	} files[] = {
		{ NPY(">f4", "(1, 1)"), -EINVAL },
		{ NPY("<i8", "(1, 1)"), -EINVAL },
		{ NPY("<f4", "(4,)"), -EINVAL },
		{ NPY("<f4", "()"), -EINVAL },
		{ NPY("<f4", "(1, 0)"), -EMSGSIZE },
		{ NPY("<f4", "(1, 8193)"), -EMSGSIZE },
		{ NPY("<f4", "(1, 4294967297, 4294967296)"), -EMSGSIZE },
		{ NPY("<f4", "(1, 99999999999999999999)"), -EINVAL },
		{ NPY("<f4", "(-1, 1)"), -EINVAL },
		{ NPY("<f4", "(1 1)"), -EINVAL },
		{ NPY("<f4", "(1, 1"), -EINVAL },
		{ NPY("<f4", "7"), -EINVAL },
		{ "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1)}",
		  -EINVAL },
		{ "{'descr': '<f4', 'shape': (1, 1)}", -EINVAL },
		{ "", -EINVAL },
		/* It claims more than any machine has. */
		{ NPY("<f4", "(18446744073709551614, 8192)"), -EBADMSG },
	};
	char file[1000] = { 0 };
	struct got got;
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		len = npy(file, 1, files[i].head, NULL, 0);
		EXPECT_EQ(files[i].error,
			  import(VDFS_FORMAT_NPY, file, len, &got))
		{
			TH_LOG("%s", files[i].head);
		}
		EXPECT_NE('\0', got.why[0]);
	}
	len = npy(file, 9, NPY("<f4", "(0, 1)"), NULL, 0);
	EXPECT_EQ(-EINVAL, import(VDFS_FORMAT_NPY, file, len, &got));
	len = npy(file, 1, NPY("<f4", "(0, 1)"), NULL, 0);
	EXPECT_EQ(0, import(VDFS_FORMAT_NPY, file, len, &got));
	EXPECT_EQ(-EBADMSG, import(VDFS_FORMAT_NPY, file, 30, &got));
	EXPECT_EQ(-EINVAL, import(VDFS_FORMAT_NPY, file, 5, &got));
	file[0] = 'x';
	EXPECT_EQ(-EINVAL, import(VDFS_FORMAT_NPY, file, len, &got));
}

TEST(idx_as_mnist_comes)
{
	unsigned char file[] = { 0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2,
				 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8 };
	unsigned char wide[] = { 0, 0, 0x0d, 2, 0,    0,    0, 1,
				 0, 0, 0,    1, 0x3f, 0xc0, 0, 0 };
	struct got got;

	EXPECT_EQ(0, import(VDFS_FORMAT_IDX, file, sizeof(file), &got));
	EXPECT_EQ(2, got.n);
	EXPECT_EQ(4, got.dim);
	EXPECT_EQ(36.0, got.sum);
	EXPECT_EQ(0, import(VDFS_FORMAT_IDX, wide, sizeof(wide), &got));
	EXPECT_EQ(1.5, got.sum);
	EXPECT_EQ(-EBADMSG,
		  import(VDFS_FORMAT_IDX, file, sizeof(file) - 1, &got));
	EXPECT_EQ(-EBADMSG, import(VDFS_FORMAT_IDX, file, 10, &got));
	EXPECT_EQ(-EINVAL, import(VDFS_FORMAT_IDX, file, 3, &got));
	file[8] = 0xff;
	EXPECT_EQ(-EMSGSIZE, import(VDFS_FORMAT_IDX, file, sizeof(file), &got));
	file[8] = 0;
	file[4] = 0xff;
	EXPECT_EQ(-EBADMSG, import(VDFS_FORMAT_IDX, file, sizeof(file), &got));
	EXPECT_EQ(2, got.n);
	EXPECT_STREQ("the file ends after 2 of 4278190082 rows", got.why);
	file[3] = 1;
	EXPECT_EQ(-EINVAL, import(VDFS_FORMAT_IDX, file, sizeof(file), &got));
	file[2] = 7;
	EXPECT_EQ(-EINVAL, import(VDFS_FORMAT_IDX, file, sizeof(file), &got));
}

TEST(lines_of_json)
{
	static const char keys[] =
		"{\"id\": \"a\", \"vector\": [1, 2.5]}\n"
		"\n  \r\n"
		"{\"key\":7, \"metadata\":{\"x\": {\"y\": 1.10}}, \"vector\":[3, -4]}";
	static const char none[] =
		"{\"vector\":[1]}\n"
		"{\"vector\":[2],\"meta\\u0064ata\":{\"a\":\"}\"}}\n";
	struct got got;

	EXPECT_EQ(0, lines(keys, &got))
	{
		TH_LOG("%s", got.why);
	}
	EXPECT_EQ(2, got.n);
	EXPECT_STREQ("a", got.first);
	EXPECT_STREQ("7", got.last);
	EXPECT_EQ(2.5, got.sum);
	EXPECT_STREQ("{\"x\": {\"y\": 1.10}}", got.metadata);
	/* Without a key it is the line, from 0 on. */
	EXPECT_EQ(0, lines(none, &got));
	EXPECT_STREQ("0000000001", got.last);
	EXPECT_STREQ("{\"a\":\"}\"}", got.metadata);
	EXPECT_EQ(0, lines("", &got));
}

TEST(lines_that_are_refused)
{
	static const struct {
		const char *text;
		int error;
		const char *why;
	} bad[] = {
		{ "{\"vector\":[1]}\n{\"vector\":[1,2]}\n", -EMSGSIZE,
		  "line 2: 2 elements" },
		{ "\n\n[1]\n", -EINVAL, "line 3: this is no object" },
		{ "{\"vector\":[1]", -EINVAL, "line 1: column" },
		{ "{\"vector\":[1]}{}", -EINVAL, "line 1: column" },
		{ "{\"vector\":1}", -EINVAL, "no list" },
		{ "{\"id\":\"a\"}", -EINVAL, "missing" },
		{ "{\"vector\":[]}", -EMSGSIZE, "0 elements" },
		{ "{\"vector\":[1,\"2\"]}", -EDOM, "element 2" },
		{ "{\"vector\":[1e39]}", -EDOM, "element 1" },
		{ "{\"vector\":[null]}", -EDOM, "element 1" },
		{ "{\"vector\":[1],\"id\":\"\"}", -EINVAL, "empty key" },
		{ "{\"vector\":[1],\"id\":1.5}", -EINVAL, "neither" },
		{ "{\"vector\":[1],\"id\":1,\"key\":1}", -EINVAL, "both" },
		{ "{\"vector\":[1],\"metadata\":[]}", -EINVAL, "no object" },
		{ "{\"vector\":[1],\"text\":\"\"}", -EINVAL, "\"text\"" },
		{ "{\"vector\":[1],\"vector\":[2]}", -EINVAL, "duplicate" },
	};
	struct got got;
	char *text;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(bad[i].error, lines(bad[i].text, &got))
		{
			TH_LOG("%s", bad[i].text);
		}
		EXPECT_NE(NULL, strstr(got.why, bad[i].why))
		{
			TH_LOG("%s: %s", bad[i].text, got.why);
		}
	}
	text = malloc(5 << 20);
	ASSERT_NE(NULL, text);
	memset(text, ' ', 5 << 20);
	EXPECT_EQ(-E2BIG, import(VDFS_FORMAT_JSONL, text, 5 << 20, &got));
	memset(text, 'k', 1000);
	memcpy(text, "{\"vector\":[1],\"id\":\"", 20);
	memcpy(text + 500, "\"}", 3);
	EXPECT_EQ(-E2BIG, lines(text, &got));
	free(text);
}

/* Lines that are items: more than the table of keys holds at first. */
#define KEYS 5000

static char *many_keys(int twice)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int i;

	for (i = 0; i < KEYS; i++)
		fprintf(out, "{\"id\":\"k%d\",\"vector\":[%d]}\n\n",
			i == KEYS - 1 ? twice : i, i);
	fclose(out);
	return text;
}

TEST(a_key_that_comes_twice_is_found)
{
	char *text = many_keys(KEYS);
	struct got got;

	unique = true;
	EXPECT_EQ(0, lines(text, &got));
	EXPECT_EQ(KEYS, got.n);
	free(text);
	text = many_keys(7);
	EXPECT_EQ(-EEXIST, lines(text, &got));
	/* Each item has an empty line behind it. */
	EXPECT_STREQ("line 9999: the key is that of line 15", got.why);
	EXPECT_EQ(KEYS - 1, got.n);
	unique = false;
	EXPECT_EQ(0, lines(text, &got));
	EXPECT_EQ(KEYS, got.n);
	free(text);
}

TEST(places_count_from_1)
{
	static const uint32_t rows[] = { 1, 0, 1, 0, 1, 0 };
	struct got got;

	EXPECT_EQ(0, import(VDFS_FORMAT_FVECS, rows, 8, &got));
	EXPECT_EQ(1, got.place);
	EXPECT_EQ(0, import(VDFS_FORMAT_FVECS, rows, 24, &got));
	EXPECT_EQ(3, got.place);
	EXPECT_STREQ("row", got.unit);
	EXPECT_EQ(0, lines("{\"vector\":[1]}", &got));
	EXPECT_EQ(1, got.place);
	EXPECT_EQ(0, lines("{\"vector\":[1]}\n\n\r\n{\"vector\":[2]}", &got));
	EXPECT_EQ(4, got.place);
	EXPECT_STREQ("line", got.unit);
}

#define POUR_DIM 1000
#define POUR_ROWS 25000

static void *pour(void *arg)
{
	static const uint32_t row[1 + POUR_DIM] = { POUR_DIM };
	int fd = *(int *)arg;
	int i;

	for (i = 0; i < POUR_ROWS; i++)
		if (write(fd, row, sizeof(row)) != sizeof(row))
			break;
	close(fd);
	return NULL;
}

/* From a pipe, in less memory than there are bytes. */
TEST(streams_in_bounded_memory)
{
	struct vdfs_import_options options = { .format = VDFS_FORMAT_FVECS };
	struct rusage before, after;
	pthread_t thread;
	struct got got;
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	getrusage(RUSAGE_SELF, &before);
	ASSERT_EQ(0, pthread_create(&thread, NULL, pour, &pipes[1]));
	EXPECT_EQ(0, import_fd(pipes[0], &options, &got));
	pthread_join(thread, NULL);
	getrusage(RUSAGE_SELF, &after);
	EXPECT_EQ(POUR_ROWS, got.n);
	EXPECT_EQ(POUR_DIM, got.dim);
	EXPECT_LT(after.ru_maxrss - before.ru_maxrss,
		  POUR_ROWS / 2 * POUR_DIM * 4 / 1024);
	close(pipes[0]);
}

TEST_HARNESS_MAIN
