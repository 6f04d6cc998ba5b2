// SPDX-License-Identifier: GPL-2.0-only
/*
 * Indexing a field of all items, some in a transaction. From the first one on
 * the field is kept up to date by whoever writes an item, but no filter uses it
 * before it has its row in field_making no more. That says up to which item it
 * is made; -1 = it is being taken away again, for somebody gave up, or a quota
 * was spent. A field that a killed daemon left there goes on where it was, when
 * somebody asks for it next.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/pace.h"
#include "collection_impl.h"

#define STEP 1000 /* items, or values, in a transaction */

/**
 * struct making - a field that is being indexed
 * @core: The collection; its id and base are enough for a step.
 * @name: Name or path of the field.
 * @field: Out: its number.
 * @at: Out: up to which row it is made; -1 = it is being taken away.
 * @undo: Take it away from now on.
 * @done: Out: there is nothing more to do.
 */
struct making {
	const struct vdfs_core *core;
	const char *name;
	int64_t field;
	int64_t at;
	bool undo;
	bool done;
};

/* Whether there is the field; @done when it is complete. */
static int find(struct sqlite3 *db, struct making *m)
{
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_sql(db, &st,
		       "SELECT id, made_to FROM field\n"
		       " LEFT JOIN field_making ON field_making.field = id\n"
		       " WHERE collection = ?1 AND name = ?2",
		       VDFS_INT(m->core->id), VDFS_TEXT(m->name));
	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret <= 0)
		return ret;
	m->field = sqlite3_column_int64(st, 0);
	m->at = sqlite3_column_int64(st, 1);
	m->done = sqlite3_column_type(st, 1) == SQLITE_NULL;
	sqlite3_reset(st);
	return 1;
}

static int check_limit(struct sqlite3 *db, const struct making *m)
{
	struct sqlite3_stmt *st;
	int64_t n;
	int ret;

	ret = vdfs_sql(db, &st, "SELECT fields FROM collection WHERE id = ?1",
		       VDFS_INT(m->core->id));
	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret <= 0)
		return ret ? ret : -ENOENT;
	n = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return n < VDFS_FIELDS_MAX ? 0 : -EDQUOT;
}

static int count_field(struct sqlite3 *db, const struct making *m, int n)
{
	return vdfs_sql_run(db,
			    "UPDATE collection SET fields = fields + ?2\n"
			    " WHERE id = ?1",
			    VDFS_INT(m->core->id), VDFS_INT(n));
}

static int begin(struct sqlite3 *db, struct making *m)
{
	char *path = vdfs_filter_path(m->name);
	int ret = path ? check_limit(db, m) : -errno;

	if (!ret)
		ret = vdfs_sql_run(db,
				   "INSERT INTO field(collection, name, path)\n"
				   " VALUES(?1, ?2, ?3)",
				   VDFS_INT(m->core->id), VDFS_TEXT(m->name),
				   VDFS_TEXT(path));
	free(path);
	m->field = sqlite3_last_insert_rowid(db);
	m->at = vdfs_row(m->core, 0);
	if (!ret)
		ret = vdfs_sql_run(db, "INSERT INTO field_making VALUES(?, ?)",
				   VDFS_INT(m->field), VDFS_INT(m->at));
	return ret ? ret : count_field(db, m, 1);
}

static int end(struct sqlite3 *db, struct making *m)
{
	m->done = true;
	return vdfs_sql_run(db, "DELETE FROM field_making WHERE field = ?",
			    VDFS_INT(m->field));
}

static int charge(struct sqlite3 *db, const struct making *m,
		  struct vdfs_usage more)
{
	return vdfs_usage_add(db, m->core->db ? m->core->db->store : NULL,
			      m->core->params.owner, VDFS_USAGE_VALUES, more);
}

/* The row behind which the next step ends; 0 = there is no item left. */
static int find_step(struct sqlite3 *db, const struct making *m, int64_t *to)
{
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_sql(db, &st,
		       "SELECT max(id) FROM (SELECT id FROM item\n"
		       " WHERE id > ?1 AND id <= ?2 AND +collection = ?3\n"
		       " ORDER BY id LIMIT ?4)",
		       VDFS_INT(m->at), VDFS_INT(vdfs_row_end(m->core)),
		       VDFS_INT(m->core->id), VDFS_INT(STEP));
	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret < 0)
		return ret;
	*to = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return 0;
}

/* Items that were written since it began have their values already. */
static int make_step(struct sqlite3 *db, struct making *m)
{
	struct vdfs_usage more = { 0 };
	int64_t to = 0;
	int ret = find_step(db, m, &to);

	if (ret || !to)
		return ret ? ret : end(db, m);
	ret = vdfs_field_store(db, m->field, m->at + 1, to, &more);
	if (!ret)
		ret = charge(db, m, more);
	m->at = to;
	return ret ? ret :
		     vdfs_sql_run(db,
				  "UPDATE field_making SET made_to = ?2\n"
				  " WHERE field = ?1",
				  VDFS_INT(m->field), VDFS_INT(to));
}

static int undo_step(struct sqlite3 *db, struct making *m)
{
	struct vdfs_usage more = { 0 };
	int ret = vdfs_field_drop(db, m->field, STEP, &more);

	if (!ret)
		ret = charge(db, m, more);
	if (ret || more.n)
		return ret;
	ret = end(db, m);
	if (!ret)
		ret = vdfs_sql_run(db, "DELETE FROM field WHERE id = ?",
				   VDFS_INT(m->field));
	return ret ? ret : count_field(db, m, -1);
}

static int step(struct sqlite3 *db, struct making *m)
{
	int ret = find(db, m);

	if (ret < 0 || m->done)
		return ret < 0 ? ret : 0;
	if (!ret && m->undo) {
		m->done = true;
		return 0;
	}
	if (!ret)
		return begin(db, m);
	if (m->undo && m->at >= 0)
		return vdfs_sql_run(db,
				    "UPDATE field_making SET made_to = -1\n"
				    " WHERE field = ?1",
				    VDFS_INT(m->field));
	/* Another one gave up: it goes, and then it begins. */
	if (m->at < 0)
		return undo_step(db, m);
	return make_step(db, m);
}

static int step_fn(struct sqlite3 *db, void *arg)
{
	struct making *m = arg;
	struct vdfs_core_state state;
	int ret;

	m->done = false;
	ret = vdfs_core_state(m->core, db, &state);
	if (!ret)
		ret = step(db, m);
	/* Of one that is taken away the end is not the end for who makes it. */
	if (m->at < 0 && !m->undo)
		m->done = false;
	return ret;
}

/* Take away what there is of it; a kill leaves the rest for the next one. */
static void give_up(struct making *m)
{
	int ret = 0;

	m->undo = true;
	m->done = false;
	while (!ret && !m->done)
		ret = vdfs_meta_free(m->core->db->meta, step_fn, m);
}

/**
 * vdfs_collection_index_field() - make filters on a field fast
 * @c: Where.
 * @field: Its name or path; one that is indexed already is no error.
 * @progress: NULL, or asked between the steps whether to go on.
 * @arg: For @progress.
 *
 * Others write between the steps, and filters use the field when it is made of
 * all items. When this fails nothing is left of it.
 *
 * Return: 0, -EINVAL when that cannot be the name of a field, -EDQUOT when
 * VDFS_FIELDS_MAX are indexed or the owner's quota is spent, -ECANCELED when
 * @progress said so, or another negative errno; see collection.h.
 */
int vdfs_collection_index_field(struct vdfs_collection *c, const char *field,
				vdfs_progress_fn *progress, void *arg)
{
	struct making m = { .core = c->core, .name = field };
	uint64_t steps = 0;
	int ret = 0;

	if (!c->may_write)
		return -EACCES;
	while (!ret && !m.done) {
		pace_step();
		ret = vdfs_meta_write(c->core->db->meta, step_fn, &m);
		if (!ret && !m.done && progress && !progress(arg, ++steps, 0))
			ret = -ECANCELED;
	}
	if (ret && m.field)
		give_up(&m);
	return ret;
}

/**
 * vdfs_field_make() - index a field of all items at once
 * @db: A connection inside a transaction.
 * @core: The collection; its id and base are enough. Nobody is charged.
 * @name: Name or path of the field; one that is indexed stays so.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0, -EDQUOT when so many are indexed already, -EINVAL when it cannot
 * be a field, or another negative errno.
 */
int vdfs_field_make(struct sqlite3 *db, const struct vdfs_core *core,
		    const char *name)
{
	struct making m = { .core = core, .name = name };
	struct vdfs_usage more = { 0 };
	int ret = find(db, &m);

	if (ret)
		return ret < 0 ? ret : 0;
	ret = begin(db, &m);
	if (!ret)
		ret = vdfs_field_store(db, m.field, vdfs_row(core, 0),
				       vdfs_row_end(core), &more);
	return ret ? ret : end(db, &m);
}
