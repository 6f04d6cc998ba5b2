// SPDX-License-Identifier: GPL-2.0-only
/* The database: opening, closing, reading, checking. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pace.h"
#include "meta_impl.h"

#define APPLICATION 0x56444653 /* "VDFS", in the header of the file */
#define VERSION 9
#define VERSION_FIRST 1 /* what is missing in it is added */
#define IDLE_MAX 64
#define BUSY_MS 10000
#define URI_MAX (3 * PATH_MAX + 64)

static void once_init(void)
{
	/* Its counters cost a lock at every allocation. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	sqlite3_initialize();
}

static int execute(struct sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) ? vdfs_meta_errno(db) :
							 0;
}

static int pragma(struct sqlite3 *db, const char *sql, int64_t *out)
{
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st, sql);
	if (!err)
		err = vdfs_sql_next(st);
	if (err > 0)
		*out = sqlite3_column_int64(st, 0);
	vdfs_sql_reset(db);
	return err < 0 ? err : 0;
}

/**
 * vdfs_meta_unused() - count pages of the file that nothing is in
 * @db: A connection.
 * @pages: Out: how many.
 *
 * Context: The connection's thread.
 * Return: 0 or a negative errno.
 */
int vdfs_meta_unused(struct sqlite3 *db, int *pages)
{
	int64_t n = 0;
	int err = pragma(db, "PRAGMA freelist_count", &n);

	*pages = (int)n;
	return err;
}

/*
 * SQLite does not tell why it cannot open or make a file. Not for a file that
 * is open already: to close it would give SQLite's locks on it away.
 */
static int probe(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/*
 * A URI by which SQLite opens a file and changes nothing, neither there nor
 * beside it: without locks, for the caller sees to it that no other process has
 * the file open, and where there is no log, as one that cannot change.
 */
static int read_only_uri(const char *path, char uri[URI_MAX])
{
	static const char plain[] =
		"/._-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	char log[PATH_MAX + 8];
	struct stat st;
	char *out = uri;

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	snprintf(log, sizeof(log), "%s-wal", path);
	out += sprintf(out, "file:");
	for (; *path; path++)
		out += sprintf(out, strchr(plain, *path) ? "%c" : "%%%02x",
			       (unsigned char)*path);
	sprintf(out, "?mode=ro&vfs=unix-none%s",
		stat(log, &st) || !st.st_size ? "&immutable=1" : "");
	return 0;
}

static int open_read_only(const char *path, int flags, struct sqlite3 **db)
{
	char uri[URI_MAX];
	int err = read_only_uri(path, uri);

	if (err)
		return err;
	flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
	if (sqlite3_open_v2(uri, db, flags, NULL))
		return vdfs_meta_errno(*db);
	/* In this mode what is known of the log is kept in memory. */
	return execute(*db, "PRAGMA locking_mode = EXCLUSIVE");
}

/* A text that is only for databases before a version begins by saying so. */
static bool is_for(const char *schema, bool read_only, int64_t version)
{
	int before;

	if (sscanf(schema, VDFS_META_STAND_IN "%d", &before) == 1)
		return read_only && version && version < before;
	if (read_only)
		return false;
	if (sscanf(schema, VDFS_META_BEFORE "%d", &before) != 1)
		return true;
	return version && version < before;
}

/* Let an earlier version, which cannot be changed, look like this one. */
static int stand_in(struct sqlite3 *db, const char *const *schemas)
{
	int64_t version = 0;
	int err = pragma(db, "PRAGMA user_version", &version);

	for (; !err && *schemas; schemas++) {
		if (is_for(*schemas, true, version))
			err = execute(db, *schemas);
	}
	return err;
}

/**
 * vdfs_meta_connect() - make a connection to the database
 * @meta: The database.
 * @writer: Whether it is to write, and may make the file.
 * @out: The connection.
 *
 * Context: Any thread; the connection is for one at a time.
 * Return: 0 or a negative errno.
 */
int vdfs_meta_connect(struct vdfs_meta *meta, bool writer, struct sqlite3 **out)
{
	bool read_only = meta->flags & VDFS_META_READ_ONLY;
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	struct sqlite3 *db = NULL;
	int err = 0;

	if (read_only) {
		err = open_read_only(meta->path, flags, &db);
	} else {
		flags |= SQLITE_OPEN_READWRITE;
		if (writer)
			flags |= SQLITE_OPEN_CREATE;
		if (sqlite3_open_v2(meta->path, &db, flags, NULL))
			err = vdfs_meta_errno(db);
	}
	if (!err)
		sqlite3_busy_timeout(db, BUSY_MS);
	if (!err)
		err = execute(db, "PRAGMA temp_store = MEMORY;"
				  "PRAGMA trusted_schema = 0");
	if (!err && read_only)
		err = stand_in(db, meta->schemas);
	if (!err)
		err = execute(db, writer ? "PRAGMA cache_size = -65536" :
					   "PRAGMA cache_size = -4096;"
					   "PRAGMA query_only = 1");
	if (!err)
		err = vdfs_sql_functions(db);
	if (!err && read_only)
		sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
				  NULL);
	if (err) {
		vdfs_sql_close(db);
		return err;
	}
	*out = db;
	return 0;
}

/* 0: it is ours; -ENODATA: it is empty. */
static int identify(struct sqlite3 *db)
{
	int64_t application = 0, version = 0, tables = 0;
	int err;

	err = pragma(db, "PRAGMA application_id", &application);
	if (!err)
		err = pragma(db, "PRAGMA user_version", &version);
	if (!err)
		err = pragma(db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (err)
		return err;
	if (!application && !version && !tables)
		return -ENODATA;
	if (application != APPLICATION)
		return -EBADMSG;
	return version >= VERSION_FIRST && version <= VERSION ? 0 : -EOPNOTSUPP;
}

static int create_tables(struct sqlite3 *db, const char *const *schemas)
{
	int64_t version = 0;
	char mark[96];
	int err;

	snprintf(mark, sizeof(mark),
		 "PRAGMA application_id = %d; PRAGMA user_version = %d",
		 APPLICATION, VERSION);
	err = pragma(db, "PRAGMA user_version", &version);
	if (err)
		return err;
	err = execute(db, "BEGIN IMMEDIATE");
	for (; !err && *schemas; schemas++) {
		if (is_for(*schemas, false, version))
			err = execute(db, *schemas);
	}
	if (!err)
		err = execute(db, mark);
	if (!err)
		err = execute(db, "COMMIT");
	if (err && !sqlite3_get_autocommit(db))
		execute(db, "ROLLBACK");
	return err;
}

/*
 * Where it cannot, SQLite stays in a mode that promises less. It says so in
 * the row, or only when it commits, behind that.
 */
static int enter_wal(struct sqlite3 *db)
{
	struct sqlite3_stmt *st;
	const char *mode;
	int err;

	err = vdfs_sql(db, &st, "PRAGMA journal_mode = WAL");
	if (!err)
		err = vdfs_sql_next(st);
	if (err > 0) {
		mode = (const char *)sqlite3_column_text(st, 0);
		err = mode && !strcmp(mode, "wal") ? vdfs_sql_next(st) : -EIO;
	}
	vdfs_sql_reset(db);
	return err;
}

/*
 * Of a log whose sync has failed, what was read from memory may not be on the
 * disk, and no later sync would put it there: what is appended behind would
 * be lost with it. So it is written once more before it is believed.
 */
static int rewrite_log(const char *path)
{
	char name[PATH_MAX], buf[65536];
	off_t at = 0;
	int fd, err = 0;
	ssize_t n;

	snprintf(name, sizeof(name), "%s-wal", path);
	fd = open(name, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	while (!err && (n = pread(fd, buf, sizeof(buf), at))) {
		if (n < 0 || pwrite(fd, buf, (size_t)n, at) != n)
			err = n < 0 ? -errno : -EIO;
		at += n;
	}
	if (!err && at && fdatasync(fd))
		err = -errno;
	close(fd);
	return err;
}

static int open_writer(struct vdfs_meta *meta)
{
	struct sqlite3 *db;
	int err;

	err = vdfs_meta_room_open(meta);
	if (!err)
		err = probe(meta->path, O_RDWR | O_CREAT);
	if (!err)
		err = rewrite_log(meta->path);
	if (!err)
		err = vdfs_meta_connect(meta, true, &db);
	if (err)
		return err;
	meta->writer = db;
	err = identify(db);
	/* Of a new file pages that are not used can be given back. */
	if (err == -ENODATA)
		err = execute(db, "PRAGMA auto_vacuum = INCREMENTAL");
	if (err)
		return err;
	err = enter_wal(db);
	/* Debian's SQLite else writes all pages that a deletion frees. */
	if (!err)
		err = execute(db, "PRAGMA synchronous = FULL;"
				  "PRAGMA secure_delete = FAST");
	if (!err && sqlite3_wal_autocheckpoint(db, vdfs_meta_log_pages(meta)))
		err = vdfs_meta_errno(db);
	if (!err)
		err = create_tables(db, meta->schemas);
	return err;
}

/* Shows whether the file can be read at all, and is what it should be. */
static int open_reader(struct vdfs_meta *meta)
{
	struct vdfs_conn *conn = calloc(1, sizeof(*conn));
	int err;

	if (!conn)
		return -ENOMEM;
	err = vdfs_meta_connect(meta, false, &conn->db);
	if (err) {
		free(conn);
		return err;
	}
	meta->idle = conn;
	meta->idles = 1;
	return identify(conn->db);
}

/**
 * vdfs_meta_open_flags() - open a database
 * @path: Of its file; made when it is not there.
 * @flags: VDFS_META_READ_ONLY or 0.
 * @schemas: Statements that make the tables of a new file, with a NULL behind
 *           the last; they outlive the database.
 * @out: The database.
 *
 * Context: The caller sees to it that no other process has it open.
 * Return: 0 or a negative errno: -EBADMSG when the file is damaged or no
 * database of ours, -EOPNOTSUPP when a later version made it, -ENODATA when it
 * has no tables and may not be changed.
 */
int vdfs_meta_open_flags(const char *path, uint32_t flags,
			 const char *const *schemas, struct vdfs_meta **out)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct vdfs_meta *meta;
	int err;

	pthread_once(&once, once_init);
	meta = calloc(1, sizeof(*meta));
	if (!meta)
		return -ENOMEM;
	meta->dir = -1;
	pthread_mutex_init(&meta->room, NULL);
	pthread_mutex_init(&meta->lock, NULL);
	pthread_cond_init(&meta->work, NULL);
	meta->flags = flags;
	meta->schemas = schemas;
	meta->path = strdup(path);
	err = meta->path ? 0 : -ENOMEM;
	if (!err && !(flags & VDFS_META_READ_ONLY))
		err = open_writer(meta);
	if (!err)
		err = open_reader(meta);
	if (!err && meta->writer)
		err = vdfs_meta_start(meta);
	if (err) {
		vdfs_sql_close(meta->writer);
		meta->writer = NULL;
		vdfs_meta_close(meta);
		return err;
	}
	*out = meta;
	return 0;
}

/**
 * vdfs_meta_open() - open a database to read and write
 * @path: Of its file; made when it is not there.
 * @schemas: As for vdfs_meta_open_flags().
 * @out: The database.
 *
 * Context: See vdfs_meta_open_flags().
 * Return: As vdfs_meta_open_flags().
 */
int vdfs_meta_open(const char *path, const char *const *schemas,
		   struct vdfs_meta **out)
{
	return vdfs_meta_open_flags(path, 0, schemas, out);
}

static void close_readers(struct vdfs_meta *meta)
{
	struct vdfs_conn *conn;

	while (meta->idle) {
		conn = meta->idle;
		meta->idle = conn->next;
		vdfs_sql_close(conn->db);
		free(conn);
	}
	meta->idles = 0;
}

/**
 * vdfs_meta_keep_log() - leave the log where it is when this is closed
 * @meta: The database, open to be written.
 *
 * Context: After its last user.
 */
void vdfs_meta_keep_log(struct vdfs_meta *meta)
{
	sqlite3_db_config(meta->writer, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
			  NULL);
}

/**
 * vdfs_meta_settle() - put all that is in the log into the file
 * @meta: The database, open to be written; to be closed next.
 *
 * The log is left, empty; or as it is, when this fails.
 *
 * Context: After its last user.
 * Return: 0 or a negative errno.
 */
int vdfs_meta_settle(struct vdfs_meta *meta)
{
	int err;

	vdfs_meta_stop(meta);
	close_readers(meta);
	err = meta->broken ? -EROFS : 0;
	if (!err &&
	    sqlite3_wal_checkpoint_v2(meta->writer, NULL,
				      SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL))
		err = vdfs_meta_errno(meta->writer) ?: -EIO;
	if (err)
		vdfs_meta_keep_log(meta);
	return err;
}

/**
 * vdfs_meta_close() - close a database
 * @meta: NULL is nothing to do.
 *
 * Context: After its last user.
 */
void vdfs_meta_close(struct vdfs_meta *meta)
{
	if (!meta)
		return;
	vdfs_meta_stop(meta);
	close_readers(meta);
	/* Last, as it is the one that may put the log into the file. */
	vdfs_sql_close(meta->writer);
	if (meta->dir >= 0)
		close(meta->dir);
	pthread_cond_destroy(&meta->work);
	pthread_mutex_destroy(&meta->lock);
	pthread_mutex_destroy(&meta->room);
	free(meta->path);
	free(meta);
}

static int conn_get(struct vdfs_meta *meta, struct vdfs_conn **out)
{
	struct vdfs_conn *conn;
	int err;

	pthread_mutex_lock(&meta->lock);
	conn = meta->idle;
	if (conn) {
		meta->idle = conn->next;
		meta->idles--;
	}
	pthread_mutex_unlock(&meta->lock);
	if (!conn) {
		conn = calloc(1, sizeof(*conn));
		if (!conn)
			return -ENOMEM;
		err = vdfs_meta_connect(meta, false, &conn->db);
		if (err) {
			free(conn);
			return err;
		}
	}
	*out = conn;
	return 0;
}

static void conn_put(struct vdfs_meta *meta, struct vdfs_conn *conn)
{
	pthread_mutex_lock(&meta->lock);
	if (meta->idles < IDLE_MAX) {
		conn->next = meta->idle;
		meta->idle = conn;
		meta->idles++;
		conn = NULL;
	}
	pthread_mutex_unlock(&meta->lock);
	if (conn) {
		vdfs_sql_close(conn->db);
		free(conn);
	}
}

/**
 * vdfs_meta_read() - look at one commit of the database
 * @meta: The database.
 * @fn: Reads, in this thread.
 * @arg: Its argument.
 *
 * Context: Any thread; inside another vdfs_meta_fn too, which then may see
 * another commit. Waits for no writer.
 * Return: The result of @fn, or a negative errno.
 */
int vdfs_meta_read(struct vdfs_meta *meta, vdfs_meta_fn *fn, void *arg)
{
	struct vdfs_conn *conn;
	int err;

	err = conn_get(meta, &conn);
	if (err)
		return err;
	/* A log that is read cannot be put into the file. */
	pace_hold();
	err = vdfs_sql_run(conn->db, "BEGIN");
	if (!err)
		err = fn(conn->db, arg);
	vdfs_sql_reset(conn->db);
	if (!sqlite3_get_autocommit(conn->db))
		vdfs_sql_run(conn->db, "COMMIT");
	vdfs_sql_reset(conn->db);
	pace_release();
	conn_put(meta, conn);
	return err;
}

static int check(struct sqlite3 *db, void *arg)
{
	struct sqlite3_stmt *st;
	const char *text;
	int err;

	(void)arg;
	err = vdfs_sql(db, &st, "PRAGMA integrity_check(1)");
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -EBADMSG;
	text = (const char *)sqlite3_column_text(st, 0);
	return text && !strcmp(text, "ok") ? 0 : -EBADMSG;
}

/**
 * vdfs_meta_check() - look for damage in the database
 * @meta: The database.
 *
 * Context: Any thread. Reads the whole file.
 * Return: 0, -EBADMSG when it is damaged, or another negative errno.
 */
int vdfs_meta_check(struct vdfs_meta *meta)
{
	return vdfs_meta_read(meta, check, NULL);
}
