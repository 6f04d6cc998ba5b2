// SPDX-License-Identifier: GPL-2.0-only
/* Power cuts at every point of a log, in many ways at each. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "verify.h"

#define REPORTS 5

/**
 * struct seen - outcomes that were verified
 * @slots: Their hashes, 0 = free.
 * @room: A power of 2.
 * @n: How many.
 */
struct seen {
	uint64_t *slots;
	size_t room;
	size_t n;
};

static void insert(struct seen *seen, uint64_t hash)
{
	size_t i = hash & (seen->room - 1);

	while (seen->slots[i])
		i = (i + 1) & (seen->room - 1);
	seen->slots[i] = hash;
	seen->n++;
}

/* Whether it is new; it is known afterwards. */
static bool fresh(struct seen *seen, uint64_t hash)
{
	struct seen old = *seen;
	size_t i;

	hash += !hash;
	if (2 * seen->n >= seen->room) {
		seen->room = old.room ? 2 * old.room : 1024;
		seen->slots = calloc(seen->room, sizeof(*seen->slots));
		if (!seen->slots)
			abort();
		seen->n = 0;
		for (i = 0; i < old.room; i++) {
			if (old.slots[i])
				insert(seen, old.slots[i]);
		}
		free(old.slots);
	}
	i = hash & (seen->room - 1);
	while (seen->slots[i]) {
		if (seen->slots[i] == hash)
			return false;
		i = (i + 1) & (seen->room - 1);
	}
	insert(seen, hash);
	return true;
}

struct cutter {
	struct run *run;
	struct power *power;
	struct disk *disk;
	struct seen seen;
	struct progress progress;
	FILE *report;
	size_t at;
};

static void explain(struct cutter *c, const struct disk_cut *cut,
		    const char *why)
{
	static const char *const part[] = { "none", "all",  "all but",
					    "only", "some", "torn" };
	const struct disk_op *op = NULL;
	size_t i;

	if (!c->report || c->power->bad > REPORTS)
		return;
	for (i = c->at; i-- && (!op || op->op.kind == CRASH_NOTE);)
		op = &c->power->log->ops[i];
	fprintf(c->report,
		"# %s: power cut after operation %zu (kind %u, %s), %zu of %zu steps acknowledged, left of what was not synced: %s (%zu, %llu): %s\n",
		c->power->golden->load->name, c->at, op ? op->op.kind : 0,
		op ? op->path : "", c->progress.acked, c->progress.begun,
		part[cut->part], cut->which, (unsigned long long)cut->seed,
		why);
}

static int try_cut(struct cutter *c, enum disk_part part, size_t which,
		   uint64_t seed)
{
	struct disk_cut cut = { .part = part, .which = which, .seed = seed };
	char why[4096];
	uint64_t hash;
	int ret;

	c->power->tried++;
	ret = disk_cut(c->disk, &cut, NULL, &hash);
	if (ret)
		return ret;
	hash ^= (c->progress.acked << 16 | c->progress.begun) *
		0x9e3779b97f4a7c15ULL;
	if (!fresh(&c->seen, hash))
		return 0;
	run_clear(c->run->state);
	ret = disk_cut(c->disk, &cut, c->run->state, &hash);
	if (ret)
		return ret;
	c->power->verified++;
	if (verify(c->power->golden, c->run->state, &c->progress, why,
		   sizeof(why))) {
		c->power->bad++;
		explain(c, &cut, why);
	}
	return 0;
}

static bool enough(const struct power *power)
{
	return power->bad > (power->rules ? 0 : REPORTS);
}

static int at_point(struct cutter *c, bool boundary)
{
	struct power *power = c->power;
	size_t n = disk_pending(c->disk), i;
	uint64_t seed = power->seed + c->at * 1000;
	int ret;

	ret = try_cut(c, DISK_NONE, 0, 0);
	if (!ret)
		ret = try_cut(c, DISK_ALL, 0, 0);
	if (n < 2)
		return ret;
	for (i = 0; boundary && i < n && i < power->singles && !ret; i++) {
		ret = try_cut(c, DISK_BUT, n - 1 - i, 0);
		if (!ret)
			ret = try_cut(c, DISK_ONLY, n - 1 - i, 0);
	}
	for (i = 0; i < power->some && !ret && !enough(power); i++)
		ret = try_cut(c, i & 1 ? DISK_SOME : DISK_TORN, 0, seed + i);
	return ret;
}

/**
 * power_cuts() - try power cuts
 * @run: Its state directory is used.
 * @power: What to try; its results are added to.
 * @report: NULL, or where to say what was found.
 *
 * Return: 0 or -errno; a broken promise is no error here.
 */
int power_cuts(struct run *run, struct power *power, FILE *report)
{
	struct cutter c = { .run = run, .power = power, .report = report };
	size_t every = power->every ? power->every : 1;
	const struct disk_op *op;
	bool boundary, note = false;
	size_t points = 0;
	int ret;

	ret = disk_new(power->log, power->rules, &c.disk);
	if (ret)
		return ret;
	do {
		op = c.at < power->log->n ? &power->log->ops[c.at] : NULL;
		boundary = !op || op->op.kind == CRASH_SYNC ||
			   op->op.kind == CRASH_NOTE;
		ret = 0;
		if ((note || (!power->acks && c.at % every == 0)) &&
		    c.at >= power->from) {
			ret = at_point(&c, boundary);
			points++;
		}
		if (ret || enough(power) ||
		    (power->most && points == power->most))
			break;
		ret = disk_step(c.disk);
		note = op && op->op.kind == CRASH_NOTE;
		if (ret > 0 && note)
			progress_note(&c.progress, op->data, op->op.len);
		c.at++;
	} while (ret > 0);
	power->points += points;
	free(c.seen.slots);
	disk_free(c.disk);
	return ret < 0 ? ret : 0;
}
