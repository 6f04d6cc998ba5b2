// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzes what reads a store's disk: the input is a list of changes to a good
 * store, its packs, its files and its database, whose checksums are made
 * right again where a change asks for that. Whatever is damaged, nobody is
 * given other bytes than were stored unless their checksum was forged too;
 * what is put again is whole; and what fsck has repaired is.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

/* How a record begins is its own. */
#include "daemons/vdfsd/store/record.c" /* NOLINT */

#include "daemons/vdfsd/names/names.h"
#include "daemons/vdfsd/serve/open.h"
#include "selftests/vdfsd/files.h"

#define BLOBS 6
#define ROWS 64 /* objects there may be */
#define CHANGES 16
#define CONTENT (VDFS_LARGE + 5000)

/**
 * struct change - one change to the store
 * @what: enum, below; with FORGE its checksums are made right.
 * @which: Of them, modulo their number.
 * @at: Which word, modulo their number.
 * @value: What is put there.
 */
struct change {
	uint8_t what;
	uint8_t which;
	uint16_t at;
	int32_t value;
};

enum {
	HEAD_WORD,
	BODY_WORD,
	PACK_WORD,
	FILE_WORD,
	CUT_PACK,
	OBJECT,
	PART,
	SUMS,
	KINDS
};

#define FORGE 0x80
#define HIGH 0x40 /* the value, shifted by 32 bits */

/**
 * struct blob - what was stored
 * @len: Its length,
 * @from: and where in the content it begins.
 * @flags: Of its put.
 * @hash: Its hash.
 */
struct blob {
	size_t len;
	size_t from;
	uint32_t flags;
	struct vdfs_hash hash;
};

static struct blob blobs[BLOBS] = {
	{ .len = 0 },
	{ .len = 100 },
	{ .len = 5000, .from = 100 },
	{ .len = VDFS_LARGE + 5 },
	{ .len = VDFS_LARGE + 4000 },
	{ .len = VDFS_LARGE + 70, .from = 900, .flags = VDFS_PUT_WHOLE },
};

static const struct vdfs_who user = { .uid = 1000 };
static const struct vdfs_store_options options = { .zstd = 1 };
static uint8_t content[CONTENT];
static struct vdfs_object records[ROWS];
static unsigned int n_records;
static char good[32], dir[32];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static __attribute__((noreturn)) void fail(const char *what, long number)
{
	fprintf(stderr, "pack: %s (%ld)\n", what, number);
	abort();
}

static int put(struct vdfs_store *store, struct blob *b, const char *name)
{
	struct vdfs_put *put;
	int err;

	err = vdfs_put_begin(store, &user, b->flags, &put);
	if (err)
		return err;
	err = vdfs_put_write(put, content + b->from, b->len);
	if (!err)
		return vdfs_put_commit(put, NULL, name, &b->hash);
	vdfs_put_abort(put);
	return err;
}

static int find_records(struct sqlite3 *db, void *arg)
{
	struct sqlite3_stmt *st;
	int64_t id[ROWS];
	unsigned int i;
	int err;

	(void)arg;
	err = vdfs_sql(db, &st,
		       "SELECT id FROM object WHERE kind = 0 ORDER BY id");
	while (!err && n_records < ROWS && (err = vdfs_sql_next(st)) > 0) {
		id[n_records++] = sqlite3_column_int64(st, 0);
		err = 0;
	}
	for (i = 0; !err && i < n_records; i++)
		err = vdfs_object_load(db, id[i], &records[i]);
	return err;
}

static void clean(void)
{
	remove_tree(good);
	remove_tree(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct vdfs_store *store;
	uint64_t x = 1;
	char name[8];
	size_t i;

	(void)argc;
	(void)argv;
	for (i = 0; i < sizeof(content); i++) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		/* The beginning can be compressed. */
		content[i] = i < 3000 ? 'a' + i % 7 : x >> 56;
	}
	snprintf(good, sizeof(good), "/tmp/pack-good-XXXXXX");
	snprintf(dir, sizeof(dir), "/tmp/pack-XXXXXX");
	if (!mkdtemp(good) || !mkdtemp(dir) || atexit(clean) ||
	    vdfs_store_open(good, &options, &store))
		fail("cannot begin", errno);
	for (i = 0; i < BLOBS; i++) {
		snprintf(name, sizeof(name), "%zu", i);
		if (put(store, &blobs[i], name))
			fail("cannot store", (long)i);
	}
	if (vdfs_meta_read(store->meta, find_records, NULL) || !n_records)
		fail("cannot find the records", 0);
	vdfs_store_close(store);
	return 0;
}

static void copy_file(const char *from, const char *to)
{
	static char buf[1 << 20];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n;

	if (in < 0 || out < 0)
		fail("cannot copy", errno);
	while ((n = read(in, buf, sizeof(buf))) > 0) {
		if (write(out, buf, n) != n)
			fail("cannot copy", errno);
	}
	close(in);
	close(out);
}

static int copy_one(const char *path, const struct stat *st, int type,
		    struct FTW *at)
{
	char to[256];

	(void)st;
	snprintf(to, sizeof(to), "%s%s", dir, path + strlen(good));
	if (type == FTW_D && at->level && mkdir(to, 0700))
		fail("cannot make a directory", errno);
	if (type == FTW_F)
		copy_file(path, to);
	return 0;
}

static int open_in(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail("cannot open", errno);
	return fd;
}

static unsigned int kind_of(const struct change *c)
{
	return c->what % HIGH % KINDS;
}

static void put_word(int fd, uint64_t at, int32_t value)
{
	if (pwrite(fd, &value, sizeof(value), (off_t)at) != sizeof(value))
		fail("cannot change", errno);
}

static void change_record(int fd, const struct change *c, bool head_only)
{
	const struct vdfs_object *o = &records[c->which % n_records];
	uint64_t words = (head_only ? HEAD : o->stored - HEAD) / 4;
	struct vdfs_record_head head;
	char *body;

	if (!words)
		return;
	put_word(fd, o->place + (head_only ? 0 : HEAD) + c->at % words * 4,
		 c->value);
	if (!(c->what & FORGE))
		return;
	body = malloc(o->stored);
	if (!body)
		abort();
	/* Unless it was cut off before. */
	if (pread(fd, &head, HEAD, (off_t)o->place) == HEAD &&
	    pread(fd, body, o->stored - HEAD, (off_t)(o->place + HEAD)) ==
		    (ssize_t)(o->stored - HEAD)) {
		head.body_crc = vdfs_crc32c(0, body, o->stored - HEAD);
		head.head_crc = head_crc(&head);
		if (pwrite(fd, &head, HEAD, (off_t)o->place) != HEAD)
			fail("cannot forge", errno);
	}
	free(body);
}

static void change_bytes(const char *name, const struct change *c)
{
	int fd = open_in(name);
	struct stat st;

	if (fstat(fd, &st))
		fail("cannot look", errno);
	if (kind_of(c) == CUT_PACK) {
		if (ftruncate(fd, st.st_size * c->at / 65536))
			fail("cannot cut", errno);
	} else if (st.st_size > 4) {
		put_word(fd,
			 (uint64_t)(uint32_t)c->at * 7919 %
				 (uint64_t)(st.st_size - 4),
			 c->value);
	}
	close(fd);
}

/* Rows that are not there are not changed. */
static void change_row(struct sqlite3 *db, const struct change *c)
{
	static const char *const columns[] = { "size",	 "kind",  "users",
					       "parts",	 "place", "stored",
					       "segment" };
	int64_t value = c->value;
	char *sql;

	if (c->what & HIGH)
		value = (int64_t)((uint64_t)value << 32);
	switch (kind_of(c)) {
	case OBJECT:
		sql = sqlite3_mprintf(
			"UPDATE OR IGNORE object SET %s = %lld WHERE id = %d",
			columns[c->at % 7], value, c->which % ROWS);
		break;
	case PART:
		sql = sqlite3_mprintf(
			"UPDATE OR IGNORE part SET %s = %lld\n"
			"WHERE (list, start) = (SELECT list, start FROM part\n"
			"ORDER BY list, start LIMIT 1 OFFSET %d)",
			c->at & 1 ? "start" : "object", value, c->which % ROWS);
		break;
	default:
		sql = sqlite3_mprintf(
			"UPDATE block SET sums = zeroblob(%d) WHERE %d", c->at,
			c->which & 1);
		break;
	}
	sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_free(sql);
}

/* Returns whether every byte that is read has its checksum still. */
static bool damage(const struct change *changes, unsigned int n)
{
	struct vdfs_object whole = { .hash = blobs[BLOBS - 1].hash,
				     .user = user.uid };
	char path[VDFS_FILE_PATH + 16] = "object/", db_path[64];
	int pack = open_in("pack/00000001");
	struct sqlite3 *db = NULL;
	bool strict = true;
	unsigned int i;

	vdfs_file_path(&whole, path + 7);
	snprintf(db_path, sizeof(db_path), "%s/meta.db", dir);
	for (i = 0; i < n; i++) {
		const struct change *c = &changes[i];

		strict = strict && kind_of(c) < OBJECT && !(c->what & FORGE);
		switch (kind_of(c)) {
		case HEAD_WORD:
		case BODY_WORD:
			change_record(pack, c, kind_of(c) == HEAD_WORD);
			break;
		case PACK_WORD:
		case CUT_PACK:
			change_bytes("pack/00000001", c);
			break;
		case FILE_WORD:
			change_bytes(path, c);
			break;
		default:
			if (!db && sqlite3_open(db_path, &db))
				fail("cannot open the database", 0);
			change_row(db, c);
			break;
		}
	}
	sqlite3_close(db);
	close(pack);
	return strict;
}

/* Returns 0 when all of a blob is there; @strict: what is read has to be it. */
static int get(struct vdfs_store *store, const struct blob *b, bool strict)
{
	static char buf[CONTENT + 1];
	struct vdfs_blob *blob;
	size_t at = 0;
	ssize_t n = 0;
	int err;

	err = vdfs_blob_open(store, &user, &b->hash, &blob);
	if (err)
		return err;
	while (at <= b->len) {
		n = vdfs_blob_read(blob, buf,
				   at + 100000 < sizeof(buf) ? 100000 :
							       sizeof(buf) - at,
				   at);
		if (n <= 0)
			break;
		if (strict &&
		    (at + n > b->len || memcmp(buf, content + b->from + at, n)))
			fail("other bytes than were stored", (long)at);
		at += n;
	}
	vdfs_blob_close(blob);
	if (n < 0)
		return (int)n;
	if (strict && at != b->len)
		fail("a blob of another length", (long)at);
	return 0;
}

static void get_all(struct vdfs_store *store, bool strict)
{
	int i;

	for (i = 0; i < BLOBS; i++)
		get(store, &blobs[i], strict);
}

/* What is not there whole is put again. */
static void put_lost(struct vdfs_store *store)
{
	int i, err;

	for (i = 0; i < BLOBS; i++) {
		if (!get(store, &blobs[i], true))
			continue;
		err = put(store, &blobs[i], NULL);
		if (!err)
			err = get(store, &blobs[i], true);
		if (err)
			fail("what was put again is not whole", err);
	}
}

static void tell(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "fsck: %s\n", line);
}

static void run_fsck(struct vdfs_store *store)
{
	struct vdfs_fsck_result result;
	int err;

	err = vdfs_fsck(store, VDFS_FSCK_REPAIR, NULL, NULL, NULL, &result);
	if (err)
		fail("cannot repair", err);
	err = vdfs_fsck(store, 0, NULL, NULL, NULL, &result);
	if (!err && !result.damaged)
		return;
	vdfs_fsck(store, 0, tell, NULL, NULL, &result);
	fail("damaged after a repair", err);
}

static void use(bool strict)
{
	struct vdfs_store *store;
	int err;

	err = vdfs_store_open(dir, &options, &store);
	/* A segment that begins as a later version's is not damaged. */
	if (err && strict && err != -EOPNOTSUPP)
		fail("cannot open", err);
	if (err)
		return;
	if (!strict) {
		get_all(store, false);
		run_fsck(store);
	}
	put_lost(store);
	err = vdfs_gc(store, NULL, NULL, NULL);
	if (err)
		fail("cannot collect", err);
	get_all(store, true);
	vdfs_store_close(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct change changes[CHANGES];
	unsigned int n = size / sizeof(*changes);
	bool strict;

	if (n > CHANGES)
		n = CHANGES;
	memcpy(changes, data, n * sizeof(*changes));
	remove_tree(dir);
	if (mkdir(dir, 0700) || nftw(good, copy_one, 8, FTW_PHYS))
		fail("cannot copy", errno);
	strict = damage(changes, n);
	use(strict);
	return 0;
}
