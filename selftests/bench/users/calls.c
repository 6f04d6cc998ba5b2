// SPDX-License-Identifier: GPL-2.0-only
/* The requests of the call table, each with what it needs and what undoes it. */
#include "cost.h"

static int attach(struct self *s)
{
	return bus_attach(&s->extra, MINE);
}

static int detach(struct self *s)
{
	bus_gone(&s->extra);
	return 0;
}

static int stage_again(struct self *s)
{
	return bus_stage(&s->me);
}

#define DO(_op, ...) { .op = PHI_VDFS_##_op, ##__VA_ARGS__ }
#define UNNAME DO(UNLINK, .name = "pub/new")
#define BEGIN DO(PUT_BEGIN, .gives = A_PUT)
#define PIECE DO(PUT_DATA, .id = A_PUT, .data = BYTES)
#define ABORT DO(PUT_ABORT, .id = A_PUT)
#define OPEN DO(BLOB_OPEN, .name = "pub/a", .gives = A_BLOB)
#define CLOSE DO(BLOB_CLOSE, .id = A_BLOB)
#define MAP_IT DO(MAP, .name = "pub/a", .gives = A_MAP)
#define UNMAP_IT DO(UNMAP, .id = A_MAP)
#define KEEP_IT DO(KEEP, .hash = true)
#define DROP_IT DO(DROP, .hash = true)
#define LINK_IT DO(LINK, .name = "pub/new", .hash = true)
#define SUBDIR DO(MKDIR, .name = "pub/dir", .mode = 0755)
#define NO_SUBDIR DO(RMDIR, .name = "pub/dir")
#define CREATE DO(COLLECTION_CREATE, .name = "new")
#define DISCARD DO(COLLECTION_DROP, .name = "new")
#define COPEN DO(COLLECTION_OPEN, .name = "mine", .gives = A_JOB)
#define COPENED DO(JOB, .id = A_JOB, .gives = A_COLLECTION)
#define CCLOSE DO(COLLECTION_CLOSE, .id = A_COLLECTION)
#define INSERT DO(COLLECTION_INSERT, .id = COLLECTION, .data = RECORD)
#define REMOVE DO(COLLECTION_DELETE, .id = COLLECTION, .name = "new")
#define OF_MINE .id = COLLECTION

/* clang-format off */
#define NONE {}

const struct row call_rows[] = {
	{ "attach", PHI_VDFS_ATTACH, { NONE }, { .run = attach },
	  { { .run = detach } } },
	{ "stage", PHI_VDFS_STAGE, { NONE }, { .run = stage_again }, { NONE } },
	{ "put", PHI_VDFS_PUT, { NONE },
	  DO(PUT, .name = "pub/new", .data = BYTES), { UNNAME } },
	{ "put_begin", PHI_VDFS_PUT_BEGIN, { NONE }, BEGIN, { ABORT } },
	{ "put_data", PHI_VDFS_PUT_DATA, { BEGIN }, PIECE, { ABORT } },
	{ "put_end", PHI_VDFS_PUT_END, { BEGIN, PIECE },
	  DO(PUT_END, .id = A_PUT, .name = "pub/new"), { UNNAME } },
	{ "put_abort", PHI_VDFS_PUT_ABORT, { BEGIN, PIECE }, ABORT, { NONE } },
	{ "blob_open", PHI_VDFS_BLOB_OPEN, { NONE }, OPEN, { CLOSE } },
	{ "blob_read", PHI_VDFS_BLOB_READ, { OPEN },
	  DO(BLOB_READ, .id = A_BLOB, .out = true), { CLOSE } },
	{ "blob_close", PHI_VDFS_BLOB_CLOSE, { OPEN }, CLOSE, { NONE } },
	{ "map", PHI_VDFS_MAP, { NONE }, MAP_IT, { UNMAP_IT } },
	{ "unmap", PHI_VDFS_UNMAP, { MAP_IT }, UNMAP_IT, { NONE } },
	{ "keep", PHI_VDFS_KEEP, { NONE }, KEEP_IT, { DROP_IT } },
	{ "drop", PHI_VDFS_DROP, { KEEP_IT }, DROP_IT, { NONE } },
	{ "blobs_list", PHI_VDFS_BLOBS_LIST, { NONE },
	  DO(BLOBS_LIST, .out = true), { NONE } },
	{ "stat", PHI_VDFS_STAT, { NONE }, DO(STAT, .name = "pub/a"), { NONE } },
	{ "list", PHI_VDFS_LIST, { NONE },
	  DO(LIST, .name = "own", .out = true), { NONE } },
	{ "mkdir", PHI_VDFS_MKDIR, { NONE }, SUBDIR, { NO_SUBDIR } },
	{ "link", PHI_VDFS_LINK, { NONE }, LINK_IT, { UNNAME } },
	{ "unlink", PHI_VDFS_UNLINK, { LINK_IT }, UNNAME, { NONE } },
	{ "rmdir", PHI_VDFS_RMDIR, { SUBDIR }, NO_SUBDIR, { NONE } },
	{ "rename", PHI_VDFS_RENAME, { LINK_IT },
	  DO(RENAME, .name = "pub/new", .more = "pub/newer"),
	  { DO(UNLINK, .name = "pub/newer") } },
	{ "change", PHI_VDFS_CHANGE, { NONE },
	  DO(CHANGE, .name = "pub/a", .mode = 0644), { NONE } },
	{ "attr_set", PHI_VDFS_ATTR_SET, { NONE },
	  DO(ATTR_SET, .name = "pub/a", .more = "user.b", .data = BYTES),
	  { DO(ATTR_SET, PHI_VDFS_REMOVE, .name = "pub/a",
	       .more = "user.b") } },
	{ "attr_get", PHI_VDFS_ATTR_GET, { NONE },
	  DO(ATTR_GET, .name = "pub/a", .more = "user.a", .out = true),
	  { NONE } },
	{ "attr_list", PHI_VDFS_ATTR_LIST, { NONE },
	  DO(ATTR_LIST, .name = "pub/a", .out = true), { NONE } },
	{ "quota_get", PHI_VDFS_QUOTA_GET, { NONE },
	  DO(QUOTA_GET, .value = MINE), { NONE } },
	{ "quota_set", PHI_VDFS_QUOTA_SET, { NONE },
	  DO(QUOTA_SET, .root = true, .value = MINE, .offset = 1ULL << 40),
	  { NONE } },
	{ "stats", PHI_VDFS_STATS, { NONE }, DO(STATS, .root = true),
	  { NONE } },
	{ "usage", PHI_VDFS_USAGE, { NONE }, DO(USAGE, .value = MINE),
	  { NONE } },
	{ "job", PHI_VDFS_JOB, { COPEN }, COPENED, { CCLOSE } },
	{ "collection_create", PHI_VDFS_COLLECTION_CREATE, { NONE }, CREATE,
	  { DISCARD } },
	{ "collection_drop", PHI_VDFS_COLLECTION_DROP, { CREATE }, DISCARD,
	  { NONE } },
	{ "collection_list", PHI_VDFS_COLLECTION_LIST, { NONE },
	  DO(COLLECTION_LIST, .out = true), { NONE } },
	{ "collection_open", PHI_VDFS_COLLECTION_OPEN, { NONE }, COPEN,
	  { COPENED, CCLOSE } },
	{ "collection_close", PHI_VDFS_COLLECTION_CLOSE, { COPEN, COPENED },
	  CCLOSE, { NONE } },
	{ "collection_insert", PHI_VDFS_COLLECTION_INSERT, { NONE }, INSERT,
	  { REMOVE } },
	{ "collection_update", PHI_VDFS_COLLECTION_UPDATE, { NONE },
	  DO(COLLECTION_UPDATE, OF_MINE, .data = CHANGE), { NONE } },
	{ "collection_delete", PHI_VDFS_COLLECTION_DELETE, { INSERT }, REMOVE,
	  { NONE } },
	{ "collection_get", PHI_VDFS_COLLECTION_GET, { NONE },
	  DO(COLLECTION_GET, OF_MINE, .name = "k1", .out = true), { NONE } },
	{ "collection_search", PHI_VDFS_COLLECTION_SEARCH, { NONE },
	  DO(COLLECTION_SEARCH, OF_MINE, .data = VECTOR, .out = true),
	  { NONE } },
	{ "collection_search.filter", PHI_VDFS_COLLECTION_SEARCH, { NONE },
	  DO(COLLECTION_SEARCH, OF_MINE, .data = VECTOR, .out = true,
	     .more = "{\"n\":1}"), { NONE } },
	{ "collection_walk", PHI_VDFS_COLLECTION_WALK, { NONE },
	  DO(COLLECTION_WALK, OF_MINE, .out = true), { NONE } },
	{ "collection_field", PHI_VDFS_COLLECTION_FIELD, { NONE },
	  DO(COLLECTION_FIELD, OF_MINE, .name = "n"), { NONE } },
	{ "collection_rebuild", PHI_VDFS_COLLECTION_REBUILD, { NONE },
	  DO(COLLECTION_REBUILD, OF_MINE, .gives = A_JOB),
	  { DO(JOB, .id = A_JOB) } },
	{ "collection_save", PHI_VDFS_COLLECTION_SAVE, { NONE },
	  DO(COLLECTION_SAVE, OF_MINE), { NONE } },
	{ "collection_stats", PHI_VDFS_COLLECTION_STATS, { NONE },
	  DO(COLLECTION_STATS, OF_MINE), { NONE } },
	{},
};

/* clang-format on */
