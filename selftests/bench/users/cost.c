// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cost of each request of vdfsd, and of what programs do in its view, to one
 * user beside 0, 1 000 and 10 000 of each kind of thing of another user.
 *
 * For each kind a daemon starts on an empty store. The measured user makes a few
 * things, all requests are measured, then the other user makes its things, and
 * they are measured again. Both users' names are in one directory. Where limits
 * allow fewer things than that, the most that they allow are made.
 *
 * Prints lines "call kind things cpu wall" in nanoseconds. The first is the
 * processor time of the whole process for a call, the least of REPS measurements,
 * because other load on the machine only adds to it. For the same reason the
 * benchmark measures calls that seem to have grown up to TRIES times more, after
 * all others, and runs all threads on one processor. BENCH_COST_SIZES is a list,
 * "0 1000 10000"; BENCH_COST_KINDS and BENCH_COST_CALLS are patterns, "*".
 * BENCH_COST_DIR is where the store is made, /tmp: in memory.
 */
#include "cost.h"

#include <errno.h>
#include <fnmatch.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REPS 24
#define TRIES 8
#define PAUSE_US 200000
#define ROWS 96
#define SIZES 8
/* Above this it is measured again; see MOST in tools/bench/cost-table. */
#define SUSPECT 1.5

/**
 * struct cost - of one call
 * @cpu: Nanoseconds of all processors.
 * @wall: Nanoseconds until it had returned.
 */
struct cost {
	double cpu;
	double wall;
};

static const struct row *const row_lists[] = { call_rows, view_rows };

static double clock_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static uint32_t put_data(struct self *s, struct bus_client *c, enum data data)
{
	float vector[DIM] = { 1, (float)(s->serial % 100) };
	char *at = c->mem + BUS_DATA;

	s->serial++;
	switch (data) {
	case BYTES:
		memcpy(at, &s->serial, sizeof(s->serial));
		return 1024;
	case RECORD:
		return (uint32_t)bus_record(at, "new", vector, DIM,
					    "{\"n\":1}");
	case CHANGE:
		return (uint32_t)bus_record(at, "k7", vector, DIM, "{\"n\":1}");
	case VECTOR:
		memcpy(at, vector, sizeof(vector));
		return sizeof(vector);
	default:
		return 0;
	}
}

/* Do a step. Return: 0 or a negative errno. */
int take_step(struct self *s, const struct step *step)
{
	struct bus_client *c = step->root ? &s->root : &s->me;
	struct phi_vdfs_request req = {
		.op = step->op,
		.flags = step->flags,
		.id = s->id[step->id],
		.value = step->value,
		.offset = step->offset,
		.mode = step->mode,
	};
	int ret;

	if (step->run)
		return step->run(s);
	if (!step->op)
		return 0;
	if (step->name)
		req.name = bus_text(c, BUS_NAME, step->name);
	if (step->more)
		req.more = bus_text(c, BUS_MORE, step->more);
	if (step->data)
		req.data = (struct phi_vdfs_span){ BUS_DATA,
						   put_data(s, c, step->data) };
	if (step->out)
		req.out = (struct phi_vdfs_span){ BUS_OUT, 16384 };
	if (step->hash)
		req.hash = s->hash;
	if (step->op == PHI_VDFS_CHANGE)
		req.time_ns = INT64_MIN;
	if (step->op == PHI_VDFS_COLLECTION_SEARCH)
		req.k = 5;
	if (step->op == PHI_VDFS_COLLECTION_CREATE)
		req.params =
			(struct phi_vdfs_params){ .dim = DIM, .mode = 0600 };
	do {
		ret = bus_ask(c, &req);
	} while (ret == -EINPROGRESS);
	if (!ret && step->gives)
		s->id[step->gives] = c->call.answer.id;
	return ret;
}

static int take_steps(struct self *s, const struct row *row,
		      const struct step *steps)
{
	int ret = 0;

	for (int i = 0; i < 3 && !ret; i++)
		ret = take_step(s, &steps[i]);
	if (ret)
		printf("# %s: around it: %s\n", row->call, strerror(-ret));
	return ret;
}

/* @out becomes less, or stays. */
static int time_row(struct self *s, const struct row *row, struct cost *out)
{
	int ret;

	for (int i = 0; i < REPS; i++) {
		double c, w;

		ret = take_steps(s, row, row->before);
		if (ret)
			return ret;
		c = clock_of(CLOCK_PROCESS_CPUTIME_ID);
		w = clock_of(CLOCK_MONOTONIC);
		ret = take_step(s, &row->act);
		w = clock_of(CLOCK_MONOTONIC) - w;
		c = clock_of(CLOCK_PROCESS_CPUTIME_ID) - c;
		if (ret) {
			printf("# %s: %s\n", row->call, strerror(-ret));
			return ret;
		}
		if (!out->cpu || c < out->cpu)
			*out = (struct cost){ c, w };
		ret = take_steps(s, row, row->after);
		if (ret)
			return ret;
	}
	return 0;
}

static bool wanted(const char *variable, const char *name)
{
	const char *pattern = getenv(variable);

	return !fnmatch(pattern ? pattern : "*", name, 0);
}

/* Row number @nr of both lists, or NULL. */
static const struct row *row_at(int nr)
{
	for (int i = 0; i < 2; i++) {
		for (const struct row *row = row_lists[i]; row->call; row++) {
			if (!nr--)
				return row;
		}
	}
	return NULL;
}

/* Collect the garbage that the measured user's own calls left. */
static int collect(struct self *s)
{
	static const struct step steps[] = {
		{ PHI_VDFS_GC, .root = true, .gives = A_JOB },
		{ PHI_VDFS_JOB, .root = true, .id = A_JOB },
	};
	int ret = take_step(s, &steps[0]);

	return ret ? ret : take_step(s, &steps[1]);
}

/* Measure once more what is not sure. Return: 0, or an error of any row. */
static int pass(struct self *s, const struct cost *alone, struct cost *cost)
{
	const struct row *row;
	int ret = collect(s);

	for (int nr = 0; (row = row_at(nr)); nr++) {
		if (!wanted("BENCH_COST_CALLS", row->call))
			continue;
		if (alone && cost[nr].cpu &&
		    cost[nr].cpu <= alone[nr].cpu * SUSPECT)
			continue;
		ret = time_row(s, row, &cost[nr]) ?: ret;
	}
	return ret;
}

static int measure_all(struct self *s, const struct things *kind, int n,
		       struct cost alone[ROWS])
{
	struct cost cost[ROWS] = {};
	const struct row *row;
	int ret = 0;

	/* The figures that all others are divided by are worth two. */
	for (int i = 0; i < (n ? TRIES : 2); i++) {
		if (i > 1)
			usleep(PAUSE_US);
		ret = pass(s, n ? alone : NULL, cost) ?: ret;
	}
	for (int nr = 0; (row = row_at(nr)); nr++) {
		if (cost[nr].cpu)
			printf("%s %s %d %.0f %.0f\n", row->call, kind->name, n,
			       cost[nr].cpu, cost[nr].wall);
	}
	fflush(stdout);
	if (!n)
		memcpy(alone, cost, sizeof(cost));
	return ret;
}

static int fill_collection(struct self *s)
{
	float vector[DIM] = { 1 };
	char key[16];
	int ret = 0;

	for (int i = 0; i < 200 && !ret; i++) {
		struct phi_vdfs_request req = {
			.op = PHI_VDFS_COLLECTION_INSERT,
			.id = s->id[COLLECTION],
		};

		vector[1] = (float)i;
		snprintf(key, sizeof(key), "k%d", i);
		req.data.at = BUS_DATA;
		req.data.len = (uint32_t)bus_record(s->me.mem + BUS_DATA, key,
						    vector, DIM, "{\"n\":1}");
		ret = bus_ask(&s->me, &req);
	}
	return ret;
}

/* What the measured user has in each round. */
static int set_up(struct self *s, struct asker kernel)
{
	static const struct step steps[] = {
		{ PHI_VDFS_MKDIR, .root = true, .name = "pub", .mode = 0777 },
		{ PHI_VDFS_PUT, .name = "pub/a", .data = BYTES },
		{ PHI_VDFS_ATTR_SET, .name = "pub/a", .more = "user.a",
		  .data = BYTES },
		{ PHI_VDFS_MKDIR, .name = "own", .mode = 0755 },
		{ PHI_VDFS_PUT, .name = "own/b", .data = BYTES },
		{ PHI_VDFS_COLLECTION_CREATE, .name = "mine" },
	};
	int ret;

	memset(s, 0, sizeof(*s));
	ret = bus_attach(&s->me, MINE);
	if (!ret)
		ret = bus_attach(&s->root, 0);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps) && !ret; i++) {
		ret = take_step(s, &steps[i]);
		if (i == 1)
			s->hash = s->me.call.answer.hash;
	}
	if (!ret)
		ret = bus_open(&s->me, "mine", &s->id[COLLECTION]);
	if (!ret)
		ret = fill_collection(s);
	s->view = by(&kernel, MINE);
	s->pub = node_at(s->view, "names/pub");
	s->node = node_at(s->view, "names/pub/a");
	return ret ? ret : s->node ? 0 : -ENOENT;
}

static int set_up_other(struct other *o, struct asker kernel)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_MKDIR, .mode = 0700 };
	int ret;

	memset(o, 0, sizeof(*o));
	o->more = calloc(1024, sizeof(*o->more));
	if (!o->more)
		return -ENOMEM;
	ret = bus_attach(&o->client, OTHER);
	req.name = bus_text(&o->client, BUS_NAME, "oth");
	if (!ret)
		ret = bus_ask(&o->client, &req);
	req = (struct phi_vdfs_request){ .op = PHI_VDFS_PUT };
	req.name = bus_text(&o->client, BUS_NAME, "oth/a");
	req.data = (struct phi_vdfs_span){ BUS_DATA, 100 };
	if (!ret)
		ret = bus_ask(&o->client, &req);
	o->view = by(&kernel, OTHER);
	o->node = node_at(o->view, "names/oth/a");
	return ret ? ret : o->node ? 0 : -ENOENT;
}

static int run_sizes(struct self *s, struct other *o, const struct things *kind)
{
	const char *list = getenv("BENCH_COST_SIZES");
	static struct cost alone[ROWS];
	char sizes[128], *size, *rest = sizes;
	int made = 0, ret = 0;

	snprintf(sizes, sizeof(sizes), "%s", list ? list : "0 1000 10000");
	while (!ret && (size = strsep(&rest, " "))) {
		int n = atoi(size);

		if (kind->most && n > kind->most)
			n = kind->most;
		if (made && n == made)
			continue;
		ret = kind->make(o, made, n);
		if (ret)
			printf("# %d %s: %s\n", n, kind->name, strerror(-ret));
		made = n;
		if (!ret)
			ret = measure_all(s, kind, n, alone);
	}
	return ret;
}

static int run(const struct things *kind)
{
	static struct bus_server server;
	const char *dir = getenv("BENCH_COST_DIR");
	static struct self self;
	static struct other other;
	struct vdfs_fuse *fuse = NULL;
	struct asker kernel;
	int ret;

	ret = bus_start(&server, dir ? dir : "/tmp", 4);
	if (!ret)
		ret = kernel_start(server.s.store, server.s.db, server.dir,
				   &fuse, &kernel);
	if (!ret)
		ret = set_up(&self, kernel);
	if (!ret)
		ret = set_up_other(&other, kernel);
	if (!ret)
		ret = run_sizes(&self, &other, kind);
	else
		printf("# %s: cannot begin: %s\n", kind->name, strerror(-ret));
	/* Descriptors of the view and of its kernel go with the process. */
	if (fuse)
		vdfs_fuse_stop(fuse);
	bus_stop(&server);
	free(other.more);
	return ret;
}

/* Is there a row for each request of the call table? */
static int check_rows(void)
{
	static const struct {
		uint32_t op;
		const char *name;
	} calls[] = {
#define CALL(_nr, ...) { PHI_VDFS_##_nr, #_nr },
#include "serve/calls.def"
#undef CALL
	};
	int ret = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		const struct row *row = call_rows;

		/* They read the whole store, and only root may ask for them. */
		if (calls[i].op == PHI_VDFS_GC || calls[i].op == PHI_VDFS_FSCK)
			continue;
		while (row->call && row->op != calls[i].op)
			row++;
		if (row->call)
			continue;
		fprintf(stderr, "cost: no row for %s\n", calls[i].name);
		ret = -ENOENT;
	}
	return ret;
}

int main(void)
{
	int ret = check_rows();
	struct rlimit files;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	if (sched_setaffinity(0, sizeof(one), &one) ||
	    setrlimit(RLIMIT_NOFILE, &files))
		perror("cost");
	umask(022);
	for (const struct things *kind = kinds; kind->name; kind++) {
		if (wanted("BENCH_COST_KINDS", kind->name) && run(kind))
			ret = -EIO;
	}
	return !!ret;
}
