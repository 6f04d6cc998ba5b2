// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse_prog STORE DIR [ro] - mount a store, say "ready", and do what the
 * lines of the standard input say, behind the back of the view; each is
 * answered by "ok" or by what went wrong. It ends when they do, and fails if
 * the store is not whole then.
 *
 *   put NAME TEXT    rm NAME    mv NAME NAME    gc
 *   quota UID BYTES    collection NAME DIM [MODE]    drop NAME
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemons/vdfsd/serve/open.h"
#include "daemons/vdfsd/view/view.h"
#include "daemons/vdfsd/names/names.h"

static const struct vdfs_who root = { .uid = 0, .admin = true };

static int put(struct vdfs_store *store, const char *name, const char *text)
{
	struct vdfs_hash hash;
	struct vdfs_put *p;
	int err = vdfs_put_begin(store, &root, 0, &p);

	if (err)
		return err;
	err = vdfs_put_write(p, text, strlen(text));
	if (!err)
		return vdfs_put_commit(p, NULL, name, &hash);
	vdfs_put_abort(p);
	return err;
}

/* @what: DIM [MODE]. */
static int collection(struct vdfs_db *db, const char *name, const char *what)
{
	char *mode;
	struct vdfs_collection_params params = {
		.dim = (uint32_t)strtoul(what, &mode, 10),
		.metric = VDFS_L2,
		.mode = VDFS_COLLECTION_MODE,
	};

	if (*mode)
		params.mode = (uint32_t)strtoul(mode, NULL, 8);

	return vdfs_collection_create(db, &root, name, &params);
}

static int run(struct vdfs_store *store, struct vdfs_db *db, char *line)
{
	const char *verb = strtok(line, "\n "), *a = strtok(NULL, "\n ");
	const char *b = strtok(NULL, "\n");
	struct vdfs_gc_result result;

	if (verb && !strcmp(verb, "gc"))
		return vdfs_gc(store, NULL, NULL, &result);
	if (verb && a && !strcmp(verb, "rm"))
		return vdfs_name_unlink(store, &root, a);
	if (verb && a && !strcmp(verb, "drop"))
		return vdfs_collection_drop(db, &root, a);
	if (!verb || !a || !b)
		return -EINVAL;
	if (!strcmp(verb, "put"))
		return put(store, a, b);
	if (!strcmp(verb, "mv"))
		return vdfs_name_rename(store, &root, a, b, false);
	if (!strcmp(verb, "quota"))
		return vdfs_quota_set(store, &root,
				      (uint32_t)strtoul(a, NULL, 10),
				      strtoull(b, NULL, 10));
	if (!strcmp(verb, "collection"))
		return collection(db, a, b);
	return -EINVAL;
}

static void serve(struct vdfs_store *store, struct vdfs_db *db)
{
	char line[4096];
	int err;

	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		err = run(store, db, line);
		puts(err ? strerror(-err) : "ok");
	}
}

static void report(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "fuse_prog: fsck: %s\n", line);
}

static int check(struct vdfs_store *store)
{
	struct vdfs_fsck_result result;
	int err = vdfs_fsck(store, 0, report, NULL, NULL, &result);

	return err ? err : result.faults ? -EBADMSG : 0;
}

int main(int argc, char **argv)
{
	struct vdfs_fuse_options options = { .allow_other = !geteuid() };
	struct vdfs_store_options how = {};
	struct vdfs_store *store = NULL;
	struct vdfs_fuse *fuse = NULL;
	struct vdfs_db *db = NULL;
	char graphs[4096];
	int err;

	if (argc < 3) {
		fprintf(stderr, "usage: fuse_prog STORE DIR [ro]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	options.read_only = argc > 3;
	options.stage_dir = argv[1];
	snprintf(graphs, sizeof(graphs), "%s/graph", argv[1]);
	err = vdfs_store_open(argv[1], &how, &store);
	if (!err)
		err = vdfs_db_open(vdfs_store_meta(store), graphs, 1, &db);
	if (!err)
		err = vdfs_fuse_start(store, db, argv[2], &options, &fuse);
	if (err)
		fprintf(stderr, "fuse_prog: %s\n", strerror(-err));
	else
		serve(store, db);
	vdfs_fuse_stop(fuse);
	if (db)
		vdfs_db_close(db);
	if (!err)
		err = check(store);
	if (store)
		vdfs_store_close(store);
	return err != 0;
}
