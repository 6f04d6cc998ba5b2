// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules between rows. References are the names and lists themselves; the counts
 * of them can always be recounted.
 */
#include <errno.h>
#include <string.h>

#include "check_impl.h"

/* Each name of a blob, with the user who pays for that. */
#define PAID                                                             \
	"(SELECT ifnull(payer.uid, owner) AS uid, object FROM node\n"    \
	"LEFT JOIN payer ON payer.ino = node.ino AND payer.name = x''\n" \
	"WHERE object IS NOT NULL)"

/*
 * The rows that users have made, as in the table usage. The limit keeps SQLite
 * from sorting attributes with their values.
 */
#define MADE                                                             \
	"(SELECT owner AS uid, 1 AS kind, count(*) AS n, 0 AS bytes\n"   \
	"FROM node WHERE ino != 1 GROUP BY owner UNION ALL\n"            \
	"SELECT uid, 2, count(*), sum(n) FROM\n"                         \
	"(SELECT ifnull(payer.uid, owner) AS uid,\n"                     \
	"64 + length(attr.name) + length(value) AS n FROM attr\n"        \
	"JOIN node USING(ino) LEFT JOIN payer ON payer.ino = attr.ino\n" \
	"AND payer.name = attr.name LIMIT -1) GROUP BY uid)"
#define COUNTED                                                   \
	"(SELECT uid, kind, n, bytes FROM usage WHERE uid >= 0\n" \
	"AND kind IN (1, 2) AND (n != 0 OR bytes != 0))"

/* Bytes that each user is to be charged for. */
#define CHARGED                                                               \
	"(SELECT uid, sum(size) AS n FROM (SELECT uid, size FROM ref\n"       \
	"JOIN object ON id = object UNION ALL SELECT uid, bytes FROM usage\n" \
	"WHERE uid >= 0) GROUP BY uid)"

/* Whether a row is not the one that was stored. */
#define NODE_WRONG                                                             \
	"sum IS NOT vdfs_sum(parent, name, object, owner, mode, mtime, gid,\n" \
	"ctime)\n"
#define ATTR_WRONG "sum IS NOT vdfs_sum(ino, name, value)"
#define NODE_SUM                                                            \
	VDFS_NODE_SUM("parent", "name", "object", "owner", "mode", "mtime", \
		      "gid", "ctime")

/*
 * Names to which no way leads from the root although each has its directory:
 * they are in a circle of directories, or below one.
 */
#define CUT_OFF                                                        \
	"WITH RECURSIVE tree(ino) AS (SELECT 1 UNION\n"                \
	"SELECT node.ino FROM node JOIN tree ON parent = tree.ino),\n" \
	"cut(ino, parent) AS (SELECT ino, parent FROM node\n"          \
	"WHERE ino NOT IN (SELECT ino FROM tree))\n"

/* In each circle the one whose number is the lowest of all that are above it. */
#define LOWEST                                                          \
	", up(start, at) AS (SELECT ino, parent FROM cut UNION\n"       \
	"SELECT start, cut.parent FROM up JOIN cut ON cut.ino = at),\n" \
	"low(ino) AS (SELECT start FROM up GROUP BY start\n"            \
	"HAVING min(at) = start)\n"

/*
 * A name in the root, from its number; where a user has one like that, so that
 * nobody can have foreseen it. SUMMED gives it its checksum.
 */
#define LOST                                                                \
	"parent = 1, sum = NULL, name = CAST('lost-' || ino ||\n"           \
	"CASE WHEN EXISTS(SELECT 1 FROM node AS has WHERE has.parent = 1\n" \
	"AND has.name = CAST('lost-' || node.ino AS BLOB))\n"               \
	"THEN '-' || lower(hex(randomblob(8))) ELSE '' END AS BLOB)\n"
#define SUMMED "UPDATE node SET " NODE_SUM "WHERE sum IS NULL"

/* Whether a quota is not the one that was set. */
#define QUOTA_WRONG                                      \
	"(bytes IS NOT NULL OR bytes_sum IS NOT NULL)\n" \
	"AND bytes_sum IS NOT vdfs_sum(uid, bytes)"

/* In this order: what one mends, the next ones count. */
static const struct vdfs_rule names[] = {
	{ "names that are not what was stored, now root's alone",
	  "SELECT count(*) FROM node WHERE " NODE_WRONG,
	  { "UPDATE node SET parent = 0, name = x'', object = NULL\n"
	    "WHERE ino = 1 AND " NODE_WRONG,
	    "UPDATE node SET owner = 0, mode = mode & 61888\n"
	    ", gid = 4294967295 WHERE ino != 1 AND " NODE_WRONG,
	    "UPDATE node SET owner = 4294967295, mode = 16895\n"
	    ", gid = 4294967295 WHERE ino = 1 AND " NODE_WRONG,
	    "UPDATE node SET " NODE_SUM "WHERE " NODE_WRONG } },
	{ "attributes that are not what was stored",
	  "SELECT count(*) FROM attr WHERE " ATTR_WRONG,
	  { "DELETE FROM attr WHERE " ATTR_WRONG } },
	{ "parts of lists that are gone",
	  "SELECT count(*) FROM part WHERE list NOT IN\n"
	  "(SELECT id FROM object WHERE kind = 2)",
	  { "DELETE FROM part WHERE list NOT IN\n"
	    "(SELECT id FROM object WHERE kind = 2)" } },
	{ "parts of lists without an object",
	  "SELECT count(*) FROM part WHERE object NOT IN\n"
	  "(SELECT id FROM object)",
	  { "DELETE FROM part WHERE object NOT IN (SELECT id FROM object)" } },
	{ "checksums of files that are gone",
	  "SELECT count(*) FROM block WHERE object NOT IN\n"
	  "(SELECT id FROM object WHERE kind = 1)",
	  { "DELETE FROM block WHERE object NOT IN\n"
	    "(SELECT id FROM object WHERE kind = 1)" } },
	{ "names of blobs that are gone",
	  "SELECT count(*) FROM node WHERE object IS NOT NULL\n"
	  "AND object NOT IN (SELECT id FROM object)",
	  { "DELETE FROM node WHERE object IS NOT NULL\n"
	    "AND object NOT IN (SELECT id FROM object)" } },
	{ "names in directories that are gone, now lost-N",
	  "SELECT count(*) FROM node WHERE ino != 1 AND parent NOT IN\n"
	  "(SELECT ino FROM node WHERE object IS NULL)",
	  { "UPDATE node SET " LOST "WHERE ino != 1 AND parent NOT IN\n"
	    "(SELECT ino FROM node WHERE object IS NULL)",
	    SUMMED } },
	{ "names in circles of directories, now below lost-N",
	  CUT_OFF "SELECT count(*) FROM cut",
	  { CUT_OFF LOWEST "UPDATE node SET " LOST
			   "WHERE ino IN (SELECT ino FROM low)",
	    SUMMED } },
	{ "attributes of names that are gone",
	  "SELECT count(*) FROM attr WHERE ino NOT IN (SELECT ino FROM node)",
	  { "DELETE FROM attr WHERE ino NOT IN (SELECT ino FROM node)" } },
	{ "payers of what is gone",
	  "SELECT count(*) FROM payer WHERE ino NOT IN (SELECT ino FROM node)\n"
	  "OR name != x'' AND NOT EXISTS (SELECT 1 FROM attr\n"
	  "WHERE attr.ino = payer.ino AND attr.name = payer.name)",
	  { "DELETE FROM payer WHERE ino NOT IN (SELECT ino FROM node)\n"
	    "OR name != x'' AND NOT EXISTS (SELECT 1 FROM attr\n"
	    "WHERE attr.ino = payer.ino AND attr.name = payer.name)" } },
	{ "references to blobs that are gone",
	  "SELECT count(*) FROM ref WHERE object NOT IN\n"
	  "(SELECT id FROM object)",
	  { "DELETE FROM ref WHERE object NOT IN (SELECT id FROM object)" } },
	{ "references that do not agree with the names",
	  "SELECT count(*) FROM (SELECT * FROM (\n"
	  "SELECT uid, object, names FROM ref WHERE names != 0 EXCEPT\n"
	  "SELECT uid, object, count(*) FROM " PAID " GROUP BY uid, object)\n"
	  "UNION ALL SELECT * FROM (\n"
	  "SELECT uid, object, count(*) FROM " PAID "\n"
	  "GROUP BY uid, object EXCEPT\n"
	  "SELECT uid, object, names FROM ref))",
	  { "DELETE FROM ref WHERE kept = 0", "UPDATE ref SET names = 0",
	    "INSERT INTO ref(uid, object, names, kept)\n"
	    "SELECT uid, object, count(*), 0 FROM " PAID " AS paid\n"
	    "WHERE true GROUP BY uid, object\n"
	    "ON CONFLICT(uid, object) DO UPDATE SET names = excluded.names" } },
	{ "blobs whose users were miscounted",
	  "SELECT count(*) FROM object LEFT JOIN\n"
	  "(SELECT object AS id, count(*) AS n FROM ref GROUP BY object)\n"
	  "USING(id) WHERE users != ifnull(n, 0)",
	  { "UPDATE object SET users = 0 WHERE users != 0\n"
	    "AND id NOT IN (SELECT object FROM ref)",
	    "UPDATE object SET users = n FROM\n"
	    "(SELECT object AS o, count(*) AS n FROM ref GROUP BY object)\n"
	    "WHERE id = o AND users != n" } },
	{ "objects whose lists were miscounted",
	  "SELECT count(*) FROM object LEFT JOIN\n"
	  "(SELECT object AS id, count(*) AS n FROM part GROUP BY object)\n"
	  "USING(id) WHERE parts != ifnull(n, 0)",
	  { "UPDATE object SET parts = 0 WHERE parts != 0\n"
	    "AND id NOT IN (SELECT object FROM part)",
	    "UPDATE object SET parts = n FROM\n"
	    "(SELECT object AS o, count(*) AS n FROM part GROUP BY object)\n"
	    "WHERE id = o AND parts != n" } },
	{ "users whose names or attributes were miscounted",
	  "SELECT count(*) FROM (SELECT * FROM (SELECT * FROM " MADE "\n"
	  "EXCEPT SELECT * FROM " COUNTED ") UNION ALL SELECT * FROM\n"
	  "(SELECT * FROM " COUNTED " EXCEPT SELECT * FROM " MADE "))",
	  { "DELETE FROM usage WHERE uid >= 0 AND kind IN (1, 2)",
	    "INSERT INTO usage(uid, kind, n, bytes) SELECT * FROM " MADE } },
	{ "quotas that are not what was set, now that of the store",
	  "SELECT count(*) FROM quota WHERE " QUOTA_WRONG,
	  { "UPDATE quota SET bytes = NULL, bytes_sum = NULL\n"
	    "WHERE " QUOTA_WRONG } },
	{ 0 },
};

static const struct vdfs_rule charges[] = {
	{ "users who were charged wrongly",
	  "SELECT count(*) FROM (SELECT uid, used FROM quota) FULL JOIN\n" CHARGED
	  " USING(uid) WHERE ifnull(used, 0) != ifnull(n, 0)",
	  { "UPDATE quota SET used = 0",
	    "INSERT INTO quota(uid, used) SELECT uid, n FROM " CHARGED "\n"
	    "WHERE true ON CONFLICT(uid) DO UPDATE SET used = excluded.used" } },
	{ 0 },
};

/* In the same order. */
static const struct vdfs_rule *const rules[] = { names, vdfs_fsck_items,
						 charges };

#define TABLES ((int)(sizeof(rules) / sizeof(*rules)))

/**
 * struct rows - the rows that break a rule
 * @rule: The rule.
 * @mend: Make it hold.
 * @n: Out: how many there are, or were.
 */
struct rows {
	const struct vdfs_rule *rule;
	bool mend;
	uint64_t n;
};

/*
 * Whether a rule is about a table or column that is not there: a database of an earlier
 * version gets that when it is opened to be written, counted from its rows.
 */
static int is_later(struct sqlite3 *db, const struct vdfs_rule *rule)
{
	/* A word of the rule, and of the schema where the rule can be. */
	static const struct {
		const char *rule;
		const char *schema;
	} words[] = {
		{ "usage", "TABLE usage(" },
		{ "payer", "TABLE payer(" },
		{ "vdfs_sum", "sum INTEGER" },
		{ "gid", "gid INTEGER" },
		{ "ctime", "ctime INTEGER" },
		{ "bytes_sum", "bytes_sum INTEGER" },
		{ "FROM item", "TABLE item(" },
		{ "FROM gone", "TABLE gone(" },
		{ "FROM field", "TABLE field(" },
		{ "collection", "base INTEGER" },
		{ "stamp_sum", "stamp_sum INTEGER" },
	};
	struct sqlite3_stmt *st;
	size_t i;
	int err, n = 1;

	for (i = 0; n && i < sizeof(words) / sizeof(*words); i++) {
		if (!strstr(rule->find, words[i].rule))
			continue;
		err = vdfs_sql(db, &st,
			       "SELECT count(*) FROM sqlite_schema\n"
			       "WHERE instr(sql, ?)",
			       VDFS_TEXT(words[i].schema));
		if (!err)
			err = vdfs_sql_next(st);
		if (err <= 0)
			return err ?: -EBADMSG;
		n = sqlite3_column_int(st, 0);
	}
	return !n;
}

static int check_rule(struct sqlite3 *db, void *arg)
{
	struct rows *rows = arg;
	const struct vdfs_rule *rule = rows->rule;
	struct sqlite3_stmt *st;
	int i, err;

	rows->n = 0;
	err = is_later(db, rule);
	if (err)
		return err < 0 ? err : 0;
	err = vdfs_sql(db, &st, rule->find);
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -EBADMSG;
	rows->n = sqlite3_column_int64(st, 0);
	err = vdfs_sql_next(st);
	for (i = 0; !err && rows->mend && rows->n && i < 4 && rule->mend[i];
	     i++)
		err = vdfs_sql_run(db, rule->mend[i]);
	return err;
}

static void report(struct vdfs_fsck *f, const struct vdfs_rule *rule,
		   uint64_t n)
{
	if (!n)
		return;
	vdfs_fsck_fault(f, n, "meta.db: %llu %s", (unsigned long long)n,
			rule->what);
	if (f->flags & VDFS_FSCK_REPAIR)
		f->result.repaired += n;
}

/* Writers wait only for a rule that rows break, and then look once more. */
static int hold_rule(struct vdfs_fsck *f, const struct vdfs_rule *rule)
{
	struct vdfs_meta *meta = vdfs_store_meta(f->store);
	struct rows rows = { .rule = rule };
	int err;

	err = vdfs_meta_read(meta, check_rule, &rows);
	if (!err && rows.n && f->flags & VDFS_FSCK_REPAIR) {
		rows.mend = true;
		err = vdfs_meta_write(meta, check_rule, &rows);
	}
	if (!err)
		report(f, rule, rows.n);
	return err;
}

/**
 * vdfs_fsck_rows() - check what rows say of each other
 * @f: The check.
 *
 * Each rule has a transaction of its own, after those that it relies on.
 *
 * Context: The check's thread.
 * Return: 0, -ECANCELED when it shall stop, or another negative errno: the rules
 * before that hold.
 */
int vdfs_fsck_rows(struct vdfs_fsck *f)
{
	const struct vdfs_rule *rule;
	int i, err = 0;

	for (i = 0; !err && i < TABLES; i++)
		for (rule = rules[i]; !err && rule->what; rule++) {
			err = vdfs_fsck_read(f, 0);
			if (!err)
				err = hold_rule(f, rule);
		}
	return err;
}
