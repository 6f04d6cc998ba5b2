// SPDX-License-Identifier: GPL-2.0-only
/* Collections: making, finding, opening and dropping them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "collection_impl.h"

#define THREADS_MAX 256
/* Address space is cheap, growing is not. */
#define ROOM ((uint32_t)1 << 22)

#define COLUMNS                                                                \
	"id, owner, mode, dim, metric, type, codes, m, ef_build, seed, items," \
	" base, sum IS " VDFS_COLLECTION_SUM("name")

/* Earlier versions let a name have newlines: such a one can still be dropped. */
static int name_check(const char *name, bool make)
{
	static const char all[] = "\nabcdefghijklmnopqrstuvwxyz0123456789_-";
	const char *allowed = all + make;
	size_t len = strnlen(name, VDFS_COLLECTION_NAME_MAX + 1);

	if (!len || strspn(name, allowed) < len)
		return -EINVAL;
	return len > VDFS_COLLECTION_NAME_MAX ? -ENAMETOOLONG : 0;
}

static bool may(const struct vdfs_who *who,
		const struct vdfs_collection_params *params, uint32_t mode)
{
	return who->admin || who->uid == params->owner || params->mode & mode;
}

/* The mode of a damaged row grants nothing: the row is its owner's alone. */
static bool may_see(const struct vdfs_core_row *row)
{
	return may(row->who, &row->params, row->summed ? 0006 : 0);
}

static void read_row(struct sqlite3_stmt *st, struct vdfs_core_row *row)
{
	struct vdfs_collection_params *p = &row->params;

	row->id = sqlite3_column_int64(st, 0);
	p->id = row->id;
	p->owner = (uint32_t)sqlite3_column_int64(st, 1);
	p->mode = (uint32_t)sqlite3_column_int64(st, 2);
	p->dim = (uint32_t)sqlite3_column_int64(st, 3);
	p->metric = (uint32_t)sqlite3_column_int64(st, 4);
	p->type = (uint32_t)sqlite3_column_int64(st, 5);
	p->codes = (uint32_t)sqlite3_column_int64(st, 6);
	p->m = (uint32_t)sqlite3_column_int64(st, 7);
	p->ef_build = (uint32_t)sqlite3_column_int64(st, 8);
	row->seed = sqlite3_column_int64(st, 9);
	row->items = (uint64_t)sqlite3_column_int64(st, 10);
	row->base = sqlite3_column_int64(st, 11);
	if (sqlite3_column_type(st, 11) != SQLITE_INTEGER)
		row->base = -1;
	row->summed = sqlite3_column_int(st, 12);
}

/* Whether there is a collection that the row can be that of. */
static bool is_sound(const struct vdfs_core_row *row)
{
	return row->seed >= 0 && row->seed <= UINT32_MAX && row->base >= 0 &&
	       row->base % VDFS_SPAN == 0;
}

/*
 * -ENOENT too when it is nothing to this user, -EBADMSG when the row is damaged:
 * no index is made, and nobody let in, by what it says.
 */
static int find_row(struct sqlite3 *db, void *arg)
{
	struct vdfs_core_row *row = arg;
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_sql(db, &st,
		       "SELECT " COLUMNS " FROM collection WHERE name = ?1",
		       VDFS_TEXT(row->name));
	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret <= 0)
		return ret ? ret : -ENOENT;
	read_row(st, row);
	if (!may_see(row))
		return -ENOENT;
	return row->summed ? 0 : -EBADMSG;
}

/**
 * vdfs_db_open() - begin to use collections
 * @meta: The database they are in; it has to stay.
 * @dir: Where graphs are saved; made when it is not there.
 * @threads: For builds, 0 = all processors.
 * @out: Out, to be given to vdfs_db_close().
 *
 * Return: 0 or a negative errno.
 */
int vdfs_db_open(struct vdfs_meta *meta, const char *dir, unsigned int threads,
		 struct vdfs_db **out)
{
	struct vdfs_db *db;
	int ret;

	if (threads > THREADS_MAX)
		return -EINVAL;
	if (mkdir(dir, 0700) && errno != EEXIST && errno != EROFS)
		return -errno;
	db = calloc(1, sizeof(*db));
	if (!db)
		return -ENOMEM;
	db->meta = meta;
	db->threads = threads ? threads : (unsigned int)get_nprocs_conf();
	if (db->threads > THREADS_MAX)
		db->threads = THREADS_MAX;
	db->room = ROOM;
	db->budget = vdfs_budget_default();
	db->dir = strdup(dir);
	pthread_mutex_init(&db->lock, NULL);
	pthread_mutex_init(&db->trimming, NULL);
	pthread_cond_init(&db->changed, NULL);
	ret = db->dir ? vdfs_care_start(db) : -ENOMEM;
	if (ret) {
		pthread_mutex_destroy(&db->lock);
		pthread_mutex_destroy(&db->trimming);
		pthread_cond_destroy(&db->changed);
		free(db->dir);
		free(db);
		return ret;
	}
	/* Collections that were dropped before may have items left. */
	vdfs_care_purge(db);
	*out = db;
	return 0;
}

/**
 * vdfs_db_close() - end the use of collections
 * @db: Collections that were all put.
 *
 * Saves indexes that would take longer to bring up to date than to write.
 */
void vdfs_db_close(struct vdfs_db *db)
{
	struct vdfs_core *core;

	if (!db)
		return;
	vdfs_care_stop(db);
	while ((core = db->cores)) {
		/* An index that is not saved is only a slower start. */
		if (vdfs_graph_worth_saving(core))
			vdfs_graph_save(core);
		db->cores = core->next;
		vdfs_core_put(core);
	}
	pthread_mutex_destroy(&db->lock);
	pthread_mutex_destroy(&db->trimming);
	pthread_cond_destroy(&db->changed);
	free(db->dir);
	free(db);
}

static int params_check(const struct vdfs_collection_params *p)
{
	struct vdfs_params index = {
		.dim = p->dim,
		.metric = p->metric,
		.type = p->type,
		.codes = p->codes,
		.m = p->m,
		.ef_build = p->ef_build,
		.capacity = 1,
	};
	struct vdfs_index *ix;
	int ret;

	if (p->mode & ~0777U)
		return -EINVAL;
	ret = vdfs_index_new(&index, &ix);
	if (!ret)
		vdfs_index_free(ix);
	return ret;
}

static bool same_params(const struct vdfs_collection_params *a,
			const struct vdfs_collection_params *b)
{
	return a->dim == b->dim && a->metric == b->metric &&
	       a->type == b->type && a->codes == b->codes && a->m == b->m &&
	       a->ef_build == b->ef_build;
}

static int create(struct sqlite3 *db, void *arg)
{
	const struct vdfs_core_row *want = arg;
	const struct vdfs_collection_params *p = &want->params;
	struct vdfs_core_row have = { .who = want->who, .name = want->name };
	struct vdfs_owned owned = { .uid = p->owner };
	int ret;

	ret = find_row(db, &have);
	if (!ret)
		return same_params(&have.params, p) ? 0 : -EEXIST;
	if (ret != -ENOENT)
		return ret;
	ret = vdfs_collection_owned(db, &owned);
	if (ret || owned.n >= VDFS_COLLECTIONS_MAX)
		return ret ? ret : -EDQUOT;
	/* -EEXIST as well when it is there and nothing to this user. */
	return vdfs_row_add(db, want->name, p, (uint32_t)want->seed);
}

/**
 * vdfs_collection_create() - make a collection
 * @db: Where.
 * @who: Its owner; @params->owner is not looked at.
 * @name: 1 to VDFS_COLLECTION_NAME_MAX characters, a-z 0-9 _ -
 * @params: See there.
 *
 * Return: 0, also when it exists with the same parameters but for the mode;
 * or a negative errno, see collection.h.
 */
int vdfs_collection_create(struct vdfs_db *db, const struct vdfs_who *who,
			   const char *name,
			   const struct vdfs_collection_params *params)
{
	struct vdfs_core_row row = { .who = who,
				     .name = name,
				     .params = *params };
	uint32_t seed = 0;
	int ret = name_check(name, true);

	row.params.owner = who->uid;
	if (!row.params.m)
		row.params.m = 16;
	if (!row.params.ef_build)
		row.params.ef_build = 200;
	if (!ret)
		ret = params_check(&row.params);
	if (!ret && getrandom(&seed, sizeof(seed), 0) < 0)
		ret = -errno;
	row.seed = seed;
	return ret ? ret : vdfs_meta_write(db->meta, create, &row);
}

/*
 * The collection of a name, which a repair may change in between. A row that
 * did not change, and yet is not found by what it says, is damaged.
 */
static int find_core(struct vdfs_db *db, struct vdfs_core_row *row,
		     vdfs_progress_fn *progress, void *arg,
		     struct vdfs_core **out)
{
	struct vdfs_core_row before = {};
	int ret;

	for (;;) {
		ret = vdfs_meta_read(db->meta, find_row, row);
		if (ret)
			return ret;
		if (!is_sound(row) ||
		    (row->id == before.id && row->seed == before.seed &&
		     row->base == before.base))
			return -EBADMSG;
		ret = vdfs_core_get(db, row, progress, arg, out);
		if (ret != -ESTALE)
			return ret;
		if (progress && !progress(arg, 0, 0))
			return -ECANCELED;
		before = *row;
	}
}

/**
 * vdfs_collection_open() - get hold of a collection
 * @db: Where.
 * @who: The user.
 * @name: Which.
 * @progress: NULL, or told how far loading or building its index is.
 * @arg: For @progress.
 * @out: Out, to be given to vdfs_collection_put().
 *
 * Return: 0, -EBADMSG when its row is damaged, -ECANCELED when @progress said
 * so, or another negative errno; see collection.h.
 */
int vdfs_collection_open(struct vdfs_db *db, const struct vdfs_who *who,
			 const char *name, vdfs_progress_fn *progress,
			 void *arg, struct vdfs_collection **out)
{
	struct vdfs_core_row row = { .who = who, .name = name };
	struct vdfs_collection *c;
	int ret = name_check(name, false);

	if (ret)
		return ret;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	ret = find_core(db, &row, progress, arg, &c->core);
	if (ret) {
		free(c);
		return ret;
	}
	c->may_read = may(who, &row.params, 0004);
	c->may_write = may(who, &row.params, 0002);
	*out = c;
	return 0;
}

/**
 * vdfs_collection_put() - let go of a collection
 * @c: From vdfs_collection_open(); NULL is allowed.
 *
 * Its index stays in memory as long as the budget allows.
 */
void vdfs_collection_put(struct vdfs_collection *c)
{
	struct vdfs_db *db;

	if (!c)
		return;
	db = c->core->db;
	vdfs_core_put(c->core);
	free(c);
	vdfs_care_trim(db);
}

static int drop(struct sqlite3 *db, void *arg)
{
	struct vdfs_core_row *row = arg;
	int ret = find_row(db, row);

	if (ret)
		return ret;
	if (!may(row->who, &row->params, 0))
		return -EACCES;
	return vdfs_sql_run(
		db,
		"UPDATE collection SET name = NULL,\n"
		" sum = " VDFS_COLLECTION_SUM("NULL") " WHERE id = ?1",
		VDFS_INT(row->id));
}

/**
 * vdfs_collection_drop() - delete a collection and all that is in it
 * @db: Where.
 * @who: Its owner, or admin.
 * @name: Its name. Sessions that have it open get -ENOENT from then on.
 *
 * Its items go in the background, some at a time.
 *
 * Return: 0 or a negative errno, see collection.h.
 */
int vdfs_collection_drop(struct vdfs_db *db, const struct vdfs_who *who,
			 const char *name)
{
	struct vdfs_core_row row = { .who = who, .name = name };
	int ret = name_check(name, false);

	if (!ret)
		ret = vdfs_meta_free(db->meta, drop, &row);
	if (ret)
		return ret;
	vdfs_core_drop(db, row.id);
	vdfs_care_purge(db);
	return 0;
}

/**
 * struct list - all collections, read before anyone is told
 * @who: The user.
 * @entry: The collections, names included, shape [n].
 * @n: How many.
 */
struct list {
	const struct vdfs_who *who;
	struct entry {
		char name[VDFS_COLLECTION_NAME_MAX + 1];
		struct vdfs_collection_params params;
		uint64_t items;
	} *entry;
	size_t n;
};

/* Those of the user, and those of others that let it read or write. */
static int begin_list(struct sqlite3 *db, const struct vdfs_who *who,
		      struct sqlite3_stmt **st)
{
	if (who->admin)
		return vdfs_sql(db, st,
				"SELECT " COLUMNS ", name FROM collection\n"
				" WHERE name IS NOT NULL ORDER BY name");
	return vdfs_sql(db, st,
			"SELECT " COLUMNS ", name FROM collection\n"
			" WHERE owner = ?1 AND name IS NOT NULL\n"
			"UNION ALL SELECT " COLUMNS ", name FROM collection\n"
			" WHERE " VDFS_COLLECTION_SHOWN " AND owner != ?1\n"
			" ORDER BY name",
			VDFS_INT(who->uid));
}

static int list_rows(struct sqlite3 *db, void *arg)
{
	struct list *list = arg;
	struct sqlite3_stmt *st;
	struct entry *more;
	int ret;

	ret = begin_list(db, list->who, &st);
	if (ret)
		return ret;
	while ((ret = vdfs_sql_next(st)) > 0) {
		struct vdfs_core_row row = { .who = list->who };

		read_row(st, &row);
		if (!may_see(&row))
			continue;
		more = realloc(list->entry, (list->n + 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		list->entry = more;
		more += list->n++;
		more->params = row.params;
		more->items = row.items;
		snprintf(more->name, sizeof(more->name), "%s",
			 (const char *)sqlite3_column_text(st, 13));
	}
	return ret;
}

/**
 * vdfs_collection_look() - look a collection up without opening it
 * @db: Where.
 * @who: The user.
 * @name: Its name.
 * @params: Out: what it is.
 *
 * Return: 0, -ENOENT when there is none that this user may use, or another
 * negative errno.
 */
int vdfs_collection_look(struct vdfs_db *db, const struct vdfs_who *who,
			 const char *name,
			 struct vdfs_collection_params *params)
{
	struct vdfs_core_row row = { .who = who, .name = name };
	int ret = vdfs_meta_read(db->meta, find_row, &row);

	*params = row.params;
	return ret;
}

/**
 * vdfs_collection_list() - what collections there are
 * @db: Where.
 * @who: The user; others' collections that this user may not use are passed
 *       over.
 * @fn: Called for each, by name; a return value other than 0 ends the list.
 * @arg: For @fn.
 *
 * Return: 0, the last return value of @fn, or a negative errno.
 */
int vdfs_collection_list(struct vdfs_db *db, const struct vdfs_who *who,
			 int (*fn)(void *arg, const char *name,
				   const struct vdfs_collection_params *params,
				   uint64_t items),
			 void *arg)
{
	struct list list = { .who = who };
	size_t i;
	int ret;

	ret = vdfs_meta_read(db->meta, list_rows, &list);
	for (i = 0; i < list.n && !ret; i++)
		ret = fn(arg, list.entry[i].name, &list.entry[i].params,
			 list.entry[i].items);
	free(list.entry);
	return ret;
}

/**
 * vdfs_collection_params() - what a collection is
 * @c: Which.
 *
 * Return: As it was made; valid as long as @c.
 */
const struct vdfs_collection_params *
vdfs_collection_params(const struct vdfs_collection *c)
{
	return &c->core->params;
}

/**
 * vdfs_collection_may_read() - whether its user may read and search it
 * @c: Which.
 *
 * Return: False for a user who may only write.
 */
bool vdfs_collection_may_read(const struct vdfs_collection *c)
{
	return c->may_read;
}
