// SPDX-License-Identifier: GPL-2.0-only
/* The database: what a write promises, and what damage looks like. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <sqlite3.h>

#include "daemons/common/sql/meta.h"
#include "daemons/vdfsd/serve/open.h"

#define THREADS 8
#define WRITES 200

FIXTURE(meta)
{
	char dir[64];
	char path[96];
	struct vdfs_meta *meta;
};

static int make_table(struct sqlite3 *db, void *arg)
{
	(void)arg;
	return vdfs_sql_run(db, "CREATE TABLE t(k INTEGER PRIMARY KEY, v)");
}

FIXTURE_SETUP(meta)
{
	snprintf(self->dir, sizeof(self->dir), "/tmp/vdfs-meta-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/meta.db", self->dir);
	ASSERT_EQ(0, vdfs_meta_open(self->path, vdfs_schemas, &self->meta));
	ASSERT_EQ(0, vdfs_meta_write(self->meta, make_table, NULL));
}

FIXTURE_TEARDOWN(meta)
{
	char command[128];

	vdfs_meta_close(self->meta);
	snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(command));
}

/* What an fn is told, and what it tells. */
struct row {
	int64_t key;
	int64_t value;
	int fail;
	uint64_t *rows; /* that are on the disk, or NULL */
};

static void add_row(void *arg, uint32_t uid, uint64_t n)
{
	(void)uid;
	*(uint64_t *)arg += n;
}

static int insert(struct sqlite3 *db, void *arg)
{
	struct row *row = arg;
	int err;

	err = vdfs_sql_run(db, "INSERT INTO t VALUES(?, ?)", VDFS_INT(row->key),
			   VDFS_INT(row->value));
	if (!err && row->rows)
		err = vdfs_meta_after(db, add_row, row->rows, 0, 1);
	return err ?: row->fail;
}

static int select_row(struct sqlite3 *db, void *arg)
{
	struct row *row = arg;
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st, "SELECT v FROM t WHERE k = ?",
		       VDFS_INT(row->key));
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -ENOENT;
	row->value = sqlite3_column_int64(st, 0);
	return 0;
}

static int add_up(struct sqlite3 *db, void *arg)
{
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st, "SELECT count(*) FROM t");
	if (!err)
		err = vdfs_sql_next(st);
	if (err > 0)
		*(int64_t *)arg = sqlite3_column_int64(st, 0);
	return err < 0 ? err : 0;
}

#define TEXTS 3000

/* One of very many statements, and what all that are kept take. */
struct kept {
	char *text;
	int bytes;
};

static int run_one(struct sqlite3 *db, void *arg)
{
	struct kept *kept = arg;
	int most;
	int ret = vdfs_sql_run(db, kept->text);

	sqlite3_db_status(db, SQLITE_DBSTATUS_STMT_USED, &kept->bytes, &most,
			  0);
	return ret;
}

/* Each collection has statements of its own, and collections come and go. */
TEST_F(meta, keeps_so_many_statements)
{
	struct kept kept[TEXTS] = { 0 };
	size_t i;

	for (i = 0; i < TEXTS; i++) {
		ASSERT_LT(0,
			  asprintf(&kept[i].text, "SELECT v + %zu FROM t", i));
		ASSERT_EQ(0, vdfs_meta_read(self->meta, run_one, &kept[i]));
	}
	EXPECT_LT(0, kept[TEXTS / 4].bytes);
	EXPECT_GE(kept[TEXTS / 4].bytes * 3 / 2, kept[TEXTS - 1].bytes);
	for (i = 0; i < TEXTS; i++)
		free(kept[i].text);
}

TEST_F(meta, reads_what_was_written)
{
	struct row row = { .key = 1, .value = 42 };

	ASSERT_EQ(0, vdfs_meta_write(self->meta, insert, &row));
	row.value = 0;
	ASSERT_EQ(0, vdfs_meta_read(self->meta, select_row, &row));
	EXPECT_EQ(42, row.value);
	row.key = 2;
	EXPECT_EQ(-ENOENT, vdfs_meta_read(self->meta, select_row, &row));
	row.key = 1;
	EXPECT_EQ(-EEXIST, vdfs_meta_write(self->meta, insert, &row));
	EXPECT_EQ(0, vdfs_meta_check(self->meta));
}

TEST_F(meta, keeps_it_over_a_restart)
{
	struct row row = { .key = 7, .value = 8 };

	ASSERT_EQ(0, vdfs_meta_write(self->meta, insert, &row));
	vdfs_meta_close(self->meta);
	self->meta = NULL;
	ASSERT_EQ(0, vdfs_meta_open(self->path, vdfs_schemas, &self->meta));
	row.value = 0;
	ASSERT_EQ(0, vdfs_meta_read(self->meta, select_row, &row));
	EXPECT_EQ(8, row.value);
}

struct writer {
	struct vdfs_meta *meta;
	int64_t first;
	uint64_t rows;
	int wrong;
};

/* Every third one fails, and must undo itself alone. */
static void *writer(void *arg)
{
	struct writer *w = arg;
	uint64_t rows = 0;
	int64_t i;

	for (i = 0; i < WRITES; i++) {
		struct row row = { .key = w->first + i,
				   .fail = i % 3 ? 0 : -EDOM,
				   .rows = &w->rows };

		if (vdfs_meta_write(w->meta, insert, &row) != row.fail)
			w->wrong++;
		/* Counted before it was told, and once, however often tried. */
		rows += !row.fail;
		w->wrong += rows != w->rows;
	}
	return NULL;
}

/*
 * Run THREADS threads, of which the first runs @first and the others writer().
 * Return: how many results were wrong, or a negative errno.
 */
static int write_beside_each_other(struct vdfs_meta *meta,
				   void *(*first)(void *arg))
{
	struct writer w[THREADS] = {};
	pthread_t thread[THREADS];
	int i, n, wrong = 0, err = 0;

	for (n = 0; n < THREADS && !err; n++) {
		w[n].meta = meta;
		w[n].first = n * 1000;
		err = -pthread_create(&thread[n], NULL, n ? writer : first,
				      &w[n]);
	}
	for (i = 0; i < (err ? n - 1 : n); i++) {
		pthread_join(thread[i], NULL);
		wrong += w[i].wrong;
	}
	return err ?: wrong;
}

TEST_F(meta, undoes_only_what_failed)
{
	int64_t n = 0, i;

	EXPECT_EQ(0, write_beside_each_other(self->meta, writer));
	ASSERT_EQ(0, vdfs_meta_read(self->meta, add_up, &n));
	EXPECT_EQ(THREADS * (WRITES - (WRITES + 2) / 3), n);
	for (i = 0; i < WRITES; i++) {
		struct row row = { .key = i };

		EXPECT_EQ(i % 3 ? 0 : -ENOENT,
			  vdfs_meta_read(self->meta, select_row, &row));
	}
}

static int refuse_commit(void *arg)
{
	(void)arg;
	return 1;
}

static int insert_in_vain(struct sqlite3 *db, void *arg)
{
	sqlite3_commit_hook(db, refuse_commit, NULL);
	return insert(db, arg);
}

static int insert_again(struct sqlite3 *db, void *arg)
{
	sqlite3_commit_hook(db, NULL, NULL);
	return insert(db, arg);
}

TEST_F(meta, has_no_effect_when_the_commit_fails)
{
	uint64_t rows = 0;
	struct row row = { .key = 1, .value = 7, .rows = &rows };

	EXPECT_GT(0, vdfs_meta_write(self->meta, insert_in_vain, &row));
	EXPECT_EQ(0, rows);
	EXPECT_EQ(-ENOENT, vdfs_meta_read(self->meta, select_row, &row));
	EXPECT_EQ(0, vdfs_meta_write(self->meta, insert_again, &row));
	EXPECT_EQ(1, rows);
}

/* SQLite gives the whole transaction up; the others must not notice. */
static int roll_all_back(struct sqlite3 *db, void *arg)
{
	(void)arg;
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return -ENOSPC;
}

static void *spoiler(void *arg)
{
	struct writer *w = arg;
	int i;

	for (i = 0; i < WRITES; i++) {
		if (vdfs_meta_write(w->meta, roll_all_back, NULL) != -ENOSPC)
			w->wrong++;
	}
	return NULL;
}

TEST_F(meta, survives_one_that_undoes_all)
{
	int64_t n = 0;

	EXPECT_EQ(0, write_beside_each_other(self->meta, spoiler));
	ASSERT_EQ(0, vdfs_meta_read(self->meta, add_up, &n));
	EXPECT_EQ((THREADS - 1) * (WRITES - (WRITES + 2) / 3), n);
}

/* A reader keeps its commit, whatever is written meanwhile. */
struct nested {
	struct vdfs_meta *meta;
	int64_t before;
	int64_t between;
	int64_t after;
	int err;
};

static int write_meanwhile(struct sqlite3 *db, void *arg)
{
	struct nested *n = arg;
	struct row row = { .key = 5, .value = 5 };
	int err;

	err = add_up(db, &n->before);
	if (!err)
		err = vdfs_meta_write(n->meta, insert, &row);
	if (!err)
		err = add_up(db, &n->after);
	if (!err)
		err = vdfs_meta_read(n->meta, add_up, &n->between);
	return err;
}

TEST_F(meta, readers_see_one_commit)
{
	struct nested n = { .meta = self->meta };

	ASSERT_EQ(0, vdfs_meta_read(self->meta, write_meanwhile, &n));
	EXPECT_EQ(0, n.before);
	EXPECT_EQ(0, n.after);
	EXPECT_EQ(1, n.between);
}

TEST_F(meta, read_only_changes_nothing)
{
	struct row row = { .key = 1, .value = 1 };

	ASSERT_EQ(0, vdfs_meta_write(self->meta, insert, &row));
	vdfs_meta_close(self->meta);
	self->meta = NULL;
	ASSERT_EQ(0, vdfs_meta_open_flags(self->path, VDFS_META_READ_ONLY,
					  vdfs_schemas, &self->meta));
	EXPECT_EQ(0, vdfs_meta_read(self->meta, select_row, &row));
	row.key = 2;
	EXPECT_EQ(-EROFS, vdfs_meta_write(self->meta, insert, &row));
	EXPECT_NE(0, vdfs_meta_read(self->meta, insert, &row));
}

static void overwrite(const char *path, off_t offset, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	char *junk = malloc(len);

	memset(junk, 0x5a, len);
	if (pwrite(fd, junk, len, offset) != (ssize_t)len)
		abort();
	close(fd);
	free(junk);
}

TEST_F(meta, refuses_what_is_no_database)
{
	struct vdfs_meta *meta = NULL;

	vdfs_meta_close(self->meta);
	self->meta = NULL;
	overwrite(self->path, 0, 100);
	EXPECT_EQ(-EBADMSG, vdfs_meta_open(self->path, vdfs_schemas, &meta));
	EXPECT_EQ(NULL, meta);
	EXPECT_EQ(-EBADMSG,
		  vdfs_meta_open_flags(self->path, VDFS_META_READ_ONLY,
				       vdfs_schemas, &meta));
}

TEST_F(meta, refuses_anothers_database)
{
	struct vdfs_meta *meta = NULL;
	struct sqlite3 *db;
	char path[128];

	snprintf(path, sizeof(path), "%s/other.db", self->dir);
	ASSERT_EQ(0, sqlite3_open(path, &db));
	ASSERT_EQ(0, sqlite3_exec(db, "CREATE TABLE x(y)", NULL, NULL, NULL));
	EXPECT_EQ(-EBADMSG, vdfs_meta_open(path, vdfs_schemas, &meta));
	ASSERT_EQ(0, sqlite3_exec(db,
				  "PRAGMA application_id = 1447315027;"
				  "PRAGMA user_version = 99",
				  NULL, NULL, NULL));
	sqlite3_close(db);
	EXPECT_EQ(-EOPNOTSUPP, vdfs_meta_open(path, vdfs_schemas, &meta));
}

TEST_F(meta, check_finds_damage)
{
	struct row row = { .value = 1 };
	struct vdfs_meta *meta = NULL;
	struct stat st;
	int err;

	for (row.key = 0; row.key < 500; row.key++) {
		ASSERT_EQ(0, vdfs_meta_write(self->meta, insert, &row));
	}
	vdfs_meta_close(self->meta);
	self->meta = NULL;
	ASSERT_EQ(0, stat(self->path, &st));
	overwrite(self->path, st.st_size - 4096, 2048);
	err = vdfs_meta_open(self->path, vdfs_schemas, &meta);
	if (!err)
		err = vdfs_meta_check(meta);
	EXPECT_EQ(-EBADMSG, err);
	vdfs_meta_close(meta);
}

/* The log is cut to what was committed whole; the rest is an older state. */
TEST_F(meta, a_damaged_log_loses_no_order)
{
	struct row row = { .value = 1 };
	int64_t n = 0;

	for (row.key = 0; row.key < 50; row.key++) {
		ASSERT_EQ(0, vdfs_meta_write(self->meta, insert, &row));
	}
	/* As a crash would leave it. */
	ASSERT_EQ(0, chdir(self->dir));
	ASSERT_EQ(0, system("mkdir saved && cp meta.db* saved"));
	ASSERT_EQ(0, system("truncate -s -5000 saved/meta.db-wal"));
	vdfs_meta_close(self->meta);
	self->meta = NULL;
	ASSERT_EQ(0,
		  vdfs_meta_open("saved/meta.db", vdfs_schemas, &self->meta));
	ASSERT_EQ(0, vdfs_meta_check(self->meta));
	ASSERT_EQ(0, vdfs_meta_read(self->meta, add_up, &n));
	EXPECT_LT(0, n);
	EXPECT_GT(50, n);
	row.key = n - 1;
	EXPECT_EQ(0, vdfs_meta_read(self->meta, select_row, &row));
}

TEST_HARNESS_MAIN
