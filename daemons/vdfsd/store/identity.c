// SPDX-License-Identifier: GPL-2.0-only
/* Refusing a store whose parts do not belong together; see identity.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scan.h"
#include "store_impl.h"

/* The advice that a user gets. */
static const char newest[] =
	"put the newest back, or keep every whole record with vdfsd --rebuild";
static const char belongs[] =
	"put back the one that belongs here, or keep every whole record with vdfsd --rebuild";
static const char apart[] =
	"put back the one that belongs here, or move the other one away";
static const char again[] = "run it again";
static const char later[] = "use the version of vdfsd that made it";

#define PRINTS __attribute__((format(printf, 4, 5)))

static int refuse(struct vdfs_store *store, int err, const char *advice,
		  const char *format, ...) PRINTS;

/* Returns @err. */
static int refuse(struct vdfs_store *store, int err, const char *advice,
		  const char *format, ...)
{
	char line[256];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	fprintf(stderr, "%s: %s: %s (see vdfsd(8))\n", store->dir, line,
		advice);
	return err;
}

static int load(struct sqlite3 *db, void *arg)
{
	struct vdfs_identity *id = arg;
	struct sqlite3_stmt *st;
	int err;

	/* A version that knew of no identities made the database. */
	err = vdfs_sql(db, &st,
		       "SELECT 1 FROM sqlite_schema WHERE name = 'store'");
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err;
	err = vdfs_sql(db, &st,
		       "SELECT identity, " VDFS_GENERATION ", opened, legacy\n"
		       "FROM store");
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0 || sqlite3_column_bytes(st, 0) != sizeof(id->bytes))
		return err < 0 ? err : -EBADMSG;
	memcpy(id->bytes, sqlite3_column_blob(st, 0), sizeof(id->bytes));
	id->generation = sqlite3_column_int64(st, 1);
	id->opened = sqlite3_column_int64(st, 2);
	id->legacy = sqlite3_column_int64(st, 3);
	id->known = true;
	return 0;
}

/**
 * vdfs_identity_load() - read what the database says of the identity
 * @store: The store, with its database.
 *
 * Context: Before anyone else uses it.
 * Return: 0 or a negative errno.
 */
int vdfs_identity_load(struct vdfs_store *store)
{
	return vdfs_meta_read(store->meta, load, &store->identity);
}

/**
 * vdfs_identity_lacks() - say that a part of a store is lost, or is older
 * @store: The store.
 * @what: The part.
 *
 * Context: Before anyone else uses it.
 * Return: -EBADMSG.
 */
int vdfs_identity_lacks(struct vdfs_store *store, const char *what)
{
	return refuse(store, -EBADMSG, newest, "%s is lost", what);
}

/**
 * vdfs_identity_later() - say that a later version made a part of a store
 * @store: The store.
 * @what: The part.
 *
 * Context: Before anyone else uses it.
 * Return: -EOPNOTSUPP.
 */
int vdfs_identity_later(struct vdfs_store *store, const char *what)
{
	return refuse(store, -EOPNOTSUPP, later, "%s is of a later version",
		      what);
}

/* Whether anything is stored: 1, 0 or a negative errno. */
static int holds_segments(struct vdfs_store *store)
{
	int fd = openat(store->packs.fd, ".",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int ret = 0;

	if (!dir) {
		ret = -errno;
		if (fd >= 0)
			close(fd);
		return ret;
	}
	while (!ret && (entry = readdir(dir)))
		ret = entry->d_name[0] != '.';
	closedir(dir);
	return ret;
}

static int is_file(void *arg, int dir, const char *name,
		   const struct vdfs_object *object, bool beside)
{
	(void)arg;
	(void)dir;
	(void)name;
	(void)object;
	(void)beside;
	return 1;
}

/**
 * vdfs_identity_miss() - refuse a store that has lost its database
 * @store: The store.
 * @empty: Its database is there, has no tables, and SQLite saw what is in the
 *         log; else it is missing, or has no bytes.
 *
 * Context: Before anyone else uses it, and before a database is made.
 * Return: 0 when nothing is stored in it, or it is to be rebuilt; -ENOENT when
 * there is nothing and nothing may be made; -EBADMSG; or another negative
 * errno.
 */
int vdfs_identity_miss(struct vdfs_store *store, bool empty)
{
	struct stat st;
	int ret;

	if (!empty && !fstatat(store->fd, "meta.db-wal", &st, 0) && st.st_size)
		return refuse(
			store, -EBADMSG, apart,
			"meta.db is missing or empty, its log meta.db-wal is not");
	ret = holds_segments(store);
	if (!ret)
		ret = vdfs_scan_files(store, is_file, NULL);
	if (ret > 0 && !store->options.rebuild)
		return refuse(
			store, -EBADMSG, newest,
			"meta.db is missing or empty, pack and object are not");
	if (!ret && store->options.read_only)
		return -ENOENT;
	return ret < 0 ? ret : 0;
}

static bool is_ours(const struct vdfs_identity *id,
		    const uint8_t bytes[VDFS_IDENTITY_BYTES])
{
	return id->known && !memcmp(bytes, id->bytes, sizeof(id->bytes));
}

/* A database that was just made, to rebuild: it takes the identity it finds. */
static int adopt(struct vdfs_store *store,
		 const uint8_t bytes[VDFS_IDENTITY_BYTES])
{
	struct vdfs_identity *id = &store->identity;
	int fits;

	if (!store->options.rebuild || id->opened)
		return 0;
	fits = vdfs_scan_fits(store);
	if (fits > 0) {
		memcpy(id->bytes, bytes, sizeof(id->bytes));
		id->known = true;
		id->opened = -1;
	}
	return fits;
}

static int compare(struct vdfs_store *store, const char *what,
		   const uint8_t bytes[VDFS_IDENTITY_BYTES], int64_t generation)
{
	struct vdfs_identity *id = &store->identity;
	int ret = 0;

	if (!is_ours(id, bytes)) {
		ret = adopt(store, bytes);
		if (ret < 0)
			return ret;
		if (!ret)
			return refuse(store, -EBADMSG, apart,
				      "%s and meta.db are of different stores",
				      what);
	}
	if (generation > id->seen)
		id->seen = generation;
	if (generation > id->generation && !store->options.rebuild)
		return refuse(store, -EBADMSG, newest,
			      "meta.db is older than %s", what);
	return 0;
}

static int check_mark(struct vdfs_store *store, int dir, const char *what)
{
	struct vdfs_identity *id = &store->identity;
	uint8_t bytes[VDFS_IDENTITY_BYTES];
	bool rebuild = store->options.rebuild;
	int64_t generation;
	unsigned int slot;
	int err;

	err = vdfs_mark_read(dir, bytes, &generation, &slot);
	if (err == -EOPNOTSUPP)
		return vdfs_identity_later(store, what);
	/* Until the first binding has ended, it may be written by halves. */
	if ((err == -ENOENT || err == -EBADMSG) && (id->opened <= 0 || rebuild))
		return 0;
	if (err == -ENOENT)
		return refuse(
			store, -EBADMSG, belongs,
			"%s is not the directory of meta.db, but without an identity",
			what);
	if (err == -EBADMSG)
		return refuse(store, err, belongs, "%s/identity is damaged",
			      what);
	if (!err)
		err = compare(store, what, bytes, generation);
	if (!err && generation < id->opened && !rebuild)
		err = refuse(store, -EBADMSG, newest,
			     "%s is older than meta.db", what);
	return err;
}

static int check_segment(struct vdfs_store *store, struct vdfs_segment *seg)
{
	struct vdfs_identity *id = &store->identity;
	uint8_t bytes[VDFS_IDENTITY_BYTES];
	int64_t generation;
	char what[32];
	int err;

	snprintf(what, sizeof(what), "pack/%08u", seg->number);
	err = vdfs_segment_identity(seg, bytes, &generation);
	if (err == -EOPNOTSUPP)
		return vdfs_identity_later(store, what);
	/* The check and reads find damage; nothing is appended to it. */
	if (err == -EBADMSG)
		return 0;
	if (err == -ENODATA && (id->opened <= 0 || seg->number <= id->legacy ||
				store->options.rebuild))
		return 0;
	if (err == -ENODATA)
		return refuse(
			store, -EBADMSG, apart,
			"%s is not of this store, whose segments have an identity by now",
			what);
	return err ?: compare(store, what, bytes, generation);
}

static int check_segments(struct vdfs_store *store)
{
	struct vdfs_segment *seg;
	uint32_t number = 0;
	int err = 0;

	while (!err) {
		number = vdfs_packs_next(store, number + 1);
		if (!number)
			break;
		seg = vdfs_segment_get(store, number);
		err = seg ? check_segment(store, seg) : -errno;
		vdfs_segment_put(store, seg);
	}
	return err;
}

/* Made before there were identities, or being made, or rebuilt by halves. */
static int check_unbound(struct vdfs_store *store)
{
	int ret = vdfs_scan_fits(store);

	if (!ret)
		return refuse(store, -EBADMSG, belongs,
			      "meta.db and pack do not fit each other");
	if (ret > 0)
		ret = vdfs_scan_unknown(store);
	/* Without an identity, that alone says nothing. */
	if (ret > 0 && !store->identity.known && !vdfs_scan_newer(store))
		return 0;
	if (ret > 0)
		return refuse(
			store, -EBADMSG, newest,
			"meta.db does not know all that pack and object have");
	return ret;
}

/**
 * vdfs_identity_check() - refuse a store whose parts do not belong together
 * @store: The store, with its database, read only, and its segments listed.
 *
 * Context: Before anyone else uses it. Changes nothing.
 * Return: 0, -EBADMSG, -EOPNOTSUPP, or another negative errno; the reason of
 * the first two was said.
 */
int vdfs_identity_check(struct vdfs_store *store)
{
	struct vdfs_identity *id = &store->identity;
	int err;

	id->known = false;
	id->opened = 0;
	err = vdfs_identity_load(store);
	if (!err && id->opened < 0 && !store->options.rebuild)
		err = refuse(store, -EBADMSG, again,
			     "vdfsd --rebuild has not ended");
	if (!err)
		err = check_mark(store, store->packs.fd, "pack");
	if (!err)
		err = check_mark(store, store->object_fd, "object");
	if (!err)
		err = check_segments(store);
	if (!err && !id->opened && !store->options.rebuild)
		err = check_unbound(store);
	return err;
}

static int start_binding(struct sqlite3 *db, void *arg)
{
	struct vdfs_store *store = arg;
	const struct vdfs_identity *id = &store->identity;
	int64_t generation;
	int err;

	err = vdfs_sql_run(db,
			   "UPDATE store SET identity = ?, legacy = ?,\n"
			   "generation = max(generation, ?)",
			   VDFS_BLOB(id->bytes, sizeof(id->bytes)),
			   VDFS_INT(id->legacy), VDFS_INT(id->seen));
	if (!err)
		err = vdfs_identity_raise(db, &generation);
	if (!err)
		store->identity.generation = generation;
	return err;
}

static int set_opened(struct sqlite3 *db, void *arg)
{
	const int64_t *opened = arg;

	return vdfs_sql_run(db, "UPDATE store SET opened = ?",
			    VDFS_INT(*opened));
}

/* Segments without an identity are those that are there now. */
static int find_legacy(struct vdfs_store *store)
{
	uint8_t bytes[VDFS_IDENTITY_BYTES];
	struct vdfs_segment *seg;
	int64_t generation;
	uint32_t number = 0;

	for (;;) {
		number = vdfs_packs_next(store, number + 1);
		if (!number)
			return 0;
		seg = vdfs_segment_get(store, number);
		if (!seg)
			return -errno;
		if (vdfs_segment_identity(seg, bytes, &generation) == -ENODATA)
			store->identity.legacy = number;
		vdfs_segment_put(store, seg);
	}
}

/**
 * vdfs_identity_bind() - let a database and the files belong together
 * @store: The store, to be written, that was checked or rebuilt.
 *
 * It raises the generation of the database first, then that of the files, and
 * then notes in the database that the files have it. After a crash between any
 * two of these steps the next start accepts the store.
 *
 * Context: Before anyone else uses it. Waits for the disk.
 * Return: 0 or a negative errno.
 */
int vdfs_identity_bind(struct vdfs_store *store)
{
	struct vdfs_identity *id = &store->identity;
	int err = id->opened > 0 ? 0 : find_legacy(store);

	if (!err)
		err = vdfs_store_write(store, start_binding, store);
	if (!err)
		err = vdfs_mark_make(store->object_fd, id->bytes,
				     id->generation, NULL);
	if (!err)
		err = vdfs_mark_make(store->packs.fd, id->bytes, id->generation,
				     &id->fd);
	if (!err)
		err = vdfs_store_write(store, set_opened, &id->generation);
	if (err)
		return err;
	id->written = id->generation;
	id->opened = id->generation;
	return 0;
}

static int unbind(struct sqlite3 *db, void *arg)
{
	const struct vdfs_identity *id = arg;

	return vdfs_sql_run(db, "UPDATE store SET opened = -1, identity = ?",
			    VDFS_BLOB(id->bytes, sizeof(id->bytes)));
}

/**
 * vdfs_identity_unbind() - let a database be refused until it is bound again
 * @store: The store, about to be rebuilt.
 *
 * Context: Before anyone else uses it. Waits for the disk.
 * Return: 0 or a negative errno.
 */
int vdfs_identity_unbind(struct vdfs_store *store)
{
	store->identity.opened = -1;
	return vdfs_meta_write(store->meta, unbind, &store->identity);
}

/**
 * vdfs_identity_note() - say in the files that the database got on
 * @store: The store.
 * @generation: Number of an object that a commit on the disk made, or what
 *              vdfs_identity_raise() gave in it.
 *
 * When this write is lost, a database that is older by as much is not noticed.
 *
 * Context: Any thread.
 */
void vdfs_identity_note(struct vdfs_store *store, int64_t generation)
{
	struct vdfs_identity *id = &store->identity;

	if (id->fd < 0)
		return;
	pthread_mutex_lock(&id->lock);
	/* The other slot stays the good one until this one is. */
	if (generation > id->written &&
	    !vdfs_mark_write(id->fd, id->bytes, generation, id->turn + 1)) {
		id->written = generation;
		id->turn++;
	}
	pthread_mutex_unlock(&id->lock);
}

/**
 * vdfs_identity_noted() - the generation of the files
 * @store: The store.
 *
 * Context: Any thread.
 * Return: The highest one noted.
 */
int64_t vdfs_identity_noted(struct vdfs_store *store)
{
	struct vdfs_identity *id = &store->identity;
	int64_t noted;

	pthread_mutex_lock(&id->lock);
	noted = id->written;
	pthread_mutex_unlock(&id->lock);
	return noted;
}

static int raise_last(struct sqlite3 *db, void *arg)
{
	return vdfs_identity_raise(db, arg);
}

/**
 * vdfs_identity_close() - raise the generation when a store is closed
 * @store: The store; its database is closed next.
 *
 * Should this fail, a copy that was made of the database since the store was
 * opened may pass for the one that is there now.
 *
 * Context: After its last user. Waits for the disk.
 */
void vdfs_identity_close(struct vdfs_store *store)
{
	struct vdfs_identity *id = &store->identity;
	int64_t generation;

	if (id->fd < 0 || vdfs_meta_write(store->meta, raise_last, &generation))
		return;
	vdfs_identity_note(store, generation);
	fdatasync(id->fd);
}

/**
 * vdfs_identity_init() - begin without an identity
 * @identity: Zeroed.
 *
 * Context: Before anyone else uses it.
 */
void vdfs_identity_init(struct vdfs_identity *identity)
{
	identity->fd = -1;
	pthread_mutex_init(&identity->lock, NULL);
}

/**
 * vdfs_identity_fini() - close what an identity has open
 * @identity: The identity.
 *
 * Context: After its last user.
 */
void vdfs_identity_fini(struct vdfs_identity *identity)
{
	if (identity->fd >= 0)
		close(identity->fd);
	pthread_mutex_destroy(&identity->lock);
}
