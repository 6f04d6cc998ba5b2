/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BENCH_USERS_COST_H
#define BENCH_USERS_COST_H

#include "bus.h"
#include "selftests/vdfsd/kernel.h"

#define MINE 1000U
#define OTHER 2000U
/* The first of so many users with a session each. */
#define MANY 10000U
#define DIM 16

/* Numbers of things that answers give. */
enum thing {
	NOTHING,
	A_PUT,
	A_BLOB,
	A_MAP,
	A_JOB,
	A_COLLECTION,
	COLLECTION,
	THINGS,
};

/**
 * struct self - the measured user, with a few things of its own
 * @me: A session of it.
 * @root: A session of root.
 * @extra: One that comes and goes.
 * @id: By enum thing; COLLECTION is open all the time.
 * @hash: Of its blob, "pub/a".
 * @serial: Makes contents differ.
 * @view: The user at the view.
 * @pub: Inode of the directory that both users fill.
 * @node: Inode of its file.
 * @fh: An open file or directory.
 * @made: A file that was made.
 */
struct self {
	struct bus_client me;
	struct bus_client root;
	struct bus_client extra;
	uint64_t id[THINGS];
	struct phi_vdfs_hash hash;
	uint64_t serial;
	struct asker view;
	uint64_t pub;
	uint64_t node;
	uint64_t fh;
	struct fuse_made made;
};

/* What a request carries, at BUS_DATA. */
enum data { NO_DATA, BYTES, RECORD, CHANGE, VECTOR };

/**
 * struct step - a request
 * @op: PHI_VDFS_*; 0 = none.
 * @flags: Of the request.
 * @root: Root sends it.
 * @name: Text.
 * @more: Text.
 * @data: What comes with it.
 * @out: It has room for results.
 * @hash: It has the hash of "pub/a".
 * @value: A number.
 * @offset: A number.
 * @mode: Bits.
 * @id: The number it names.
 * @gives: Where the number goes that its answer gives.
 * @run: Does it instead, where a request is not all.
 */
struct step {
	uint32_t op;
	uint32_t flags;
	bool root;
	const char *name;
	const char *more;
	enum data data;
	bool out;
	bool hash;
	uint64_t value;
	uint64_t offset;
	uint32_t mode;
	enum thing id;
	enum thing gives;
	int (*run)(struct self *s);
};

/**
 * struct row - a call to measure
 * @call: Its name.
 * @op: The request of the call table that it is; 0 = of the view.
 * @before: What it needs.
 * @act: The call.
 * @after: What takes it back.
 */
struct row {
	const char *call;
	uint32_t op;
	struct step before[3];
	struct step act;
	struct step after[3];
};

/**
 * struct other - the other user
 * @client: A session of it.
 * @more: Sessions that hold things.
 * @sessions: How many of these.
 * @view: The user at the view.
 * @node: Inode of its file.
 * @collection: Number of its collection.
 */
struct other {
	struct bus_client client;
	struct bus_client *more;
	size_t sessions;
	struct asker view;
	uint64_t node;
	uint64_t collection;
};

/**
 * struct things - things that another user can make
 * @name: Of the kind.
 * @make: Make those from number @from to before @to.
 * @most: How many a user, or all, may have; 0 = any.
 */
struct things {
	const char *name;
	int (*make)(struct other *o, int from, int to);
	int most;
};

extern const struct row call_rows[], view_rows[];
extern const struct things kinds[];

int take_step(struct self *s, const struct step *step);

#endif /* BENCH_USERS_COST_H */
