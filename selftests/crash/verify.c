// SPDX-License-Identifier: GPL-2.0-only
/* Whether a store holds what it has promised to hold. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verify.h"

#define VERIFY_SECONDS 60

struct golden_job {
	const char *root;
	const struct workload *load;
	const char *top;
};

static int dump_to(struct work *w, const char *path)
{
	FILE *out = fopen(path, "w");
	int ret;

	if (!out)
		return -errno;
	ret = work_dump(w, out);
	fclose(out);
	return ret;
}

static int golden_run(void *arg)
{
	struct golden_job *job = arg;
	char dir[256], path[256];
	struct work w = { .dir = dir };
	size_t i;
	int ret = 0;

	snprintf(dir, sizeof(dir), "%s/store", job->root);
	for (i = 0; i < job->load->n && !ret; i++) {
		ret = job->load->steps[i].fn(&w, &job->load->steps[i]);
		snprintf(path, sizeof(path), "%s/golden.%zu", job->top, i);
		if (!ret)
			ret = dump_to(&w, path);
		if (ret)
			printf("step %zu: %s\n", i, strerror(-ret));
	}
	work_close(&w);
	return ret;
}

static char *slurp(const char *path)
{
	char *text = NULL;
	size_t room = 0;
	FILE *in = fopen(path, "r");

	if (!in)
		return NULL;
	if (getdelim(&text, &room, 0, in) < 0) {
		free(text);
		text = strdup("");
	}
	fclose(in);
	return text;
}

/* Damage is where a step has made it, until the next but a reopen. */
static int check_golden(const struct golden *golden)
{
	bool damaged = false;
	size_t i;

	for (i = 0; i < golden->load->n; i++) {
		const struct step *s = &golden->load->steps[i];

		damaged = work_damages(s) || (damaged && s->fn == work_reopen);
		if (!!strstr(golden->text[i], WORK_DAMAGED) != damaged) {
			fprintf(stderr, "%s, undisturbed: step %zu: %s\n",
				golden->load->name, i, golden->text[i]);
			return -EILSEQ;
		}
	}
	return 0;
}

/**
 * golden_make() - run a workload undisturbed
 * @run: Its root is used and emptied.
 * @name: Workload.
 * @out: What the store holds after each step; golden_free() it.
 *
 * Return: 0 or -errno.
 */
int golden_make(struct run *run, const char *name, struct golden *out)
{
	struct golden_job job = { .root = run->root, .top = run->top };
	char why[4096], path[256];
	size_t i;
	int ret;

	job.load = workload_find(name);
	if (!job.load)
		return -ENOENT;
	run_clear(run->root);
	ret = run_forked(golden_run, &job, VERIFY_SECONDS, why, sizeof(why));
	run_clear(run->root);
	if (ret) {
		fprintf(stderr, "%s, undisturbed: %s\n", name, why);
		return ret;
	}
	out->load = job.load;
	out->text = calloc(job.load->n, sizeof(*out->text));
	for (i = 0; i < job.load->n && out->text; i++) {
		snprintf(path, sizeof(path), "%s/golden.%zu", run->top, i);
		out->text[i] = slurp(path);
		if (!out->text[i])
			return -ENOENT;
	}
	return out->text ? check_golden(out) : -ENOMEM;
}

/**
 * golden_free() - give back what golden_make() made
 * @golden: It, may be empty.
 */
void golden_free(struct golden *golden)
{
	size_t i;

	for (i = 0; golden->text && i < golden->load->n; i++)
		free(golden->text[i]);
	free(golden->text);
	golden->text = NULL;
}

/* As work_prog's; of what is @whole, no word that it is damaged. */
static long hash_of(const char *text, bool whole)
{
	static const char damaged[] = " " WORK_DAMAGED;
	unsigned long hash = 5381;

	while (*text) {
		if (whole && !strncmp(text, damaged, strlen(damaged)))
			text += strcspn(text, "\n");
		else
			hash = hash * 33 + (unsigned char)*text++;
	}
	return (long)(hash >> 1);
}

/**
 * golden_is() - whether the content that work_prog noted is that of a step
 * @golden: Golden states.
 * @step: Step, done.
 * @hash: Of the content.
 *
 * Return: Whether.
 */
bool golden_is(const struct golden *golden, size_t step, long hash)
{
	return hash == hash_of(golden->text[step], false);
}

/**
 * golden_is_before() - whether that content is what was there before a step
 * @golden: Golden states.
 * @step: Step, which failed; not the first. A file that it was to put whole
 *        may be in the place of a damaged one.
 * @hash: Of the content.
 *
 * Return: Whether.
 */
bool golden_is_before(const struct golden *golden, size_t step, long hash)
{
	const struct step *s = &golden->load->steps[step];

	if (golden_is(golden, step - 1, hash))
		return true;
	return s->fn == work_put && s->flags & VDFS_PUT_WHOLE &&
	       hash == hash_of(golden->text[step - 1], true);
}

/**
 * progress_note() - take note of notes
 * @progress: Progress.
 * @text: Lines of work_prog's.
 * @len: Bytes.
 */
void progress_note(struct progress *progress, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (i && text[i - 1] != '\n')
			continue;
		progress->begun += text[i] == 'b';
		progress->acked += text[i] == 'a';
	}
}

/**
 * progress_read() - how far a workload came
 * @progress: Out.
 * @path: File of notes.
 *
 * Return: 0 or -ENOENT.
 */
int progress_read(struct progress *progress, const char *path)
{
	char *text = slurp(path);

	memset(progress, 0, sizeof(*progress));
	if (!text)
		return -ENOENT;
	progress_note(progress, text, strlen(text));
	free(text);
	return 0;
}

/**
 * struct job - one verification
 * @golden: What may be there.
 * @dir: Where the store is.
 * @first: Step after which it holds what it must hold at least.
 * @last: Step that may have been done besides.
 */
struct job {
	const struct golden *golden;
	char dir[256];
	size_t first;
	size_t last;
};

/* Where two texts begin to differ, a line of each. */
static void differ(const char *is, const char *was)
{
	const char *a = is, *b = was;

	while (*a && *a == *b) {
		a++;
		b++;
	}
	while (a > is && a[-1] != '\n') {
		a--;
		b--;
	}
	printf("holds \"%.*s\", not \"%.*s\"", (int)strcspn(a, "\n"), a,
	       (int)strcspn(b, "\n"), b);
}

/* Returns which of some steps the store is at, or -errno. */
static int holds(struct work *w, const struct golden *golden, size_t first,
		 size_t last, const char *when)
{
	char *text = NULL;
	size_t len = 0, i;
	FILE *out = open_memstream(&text, &len);
	int ret = out ? work_dump(w, out) : -ENOMEM;

	if (out)
		fclose(out);
	for (i = first; !ret && i <= last; i++) {
		if (!strcmp(text, golden->text[i])) {
			free(text);
			return (int)i;
		}
	}
	if (ret) {
		printf("%s: cannot be read: %s; so far: %s", when,
		       strerror(-ret), text ? text : "");
	} else {
		printf("%s: ", when);
		differ(text, golden->text[first]);
		ret = -EILSEQ;
	}
	free(text);
	return ret;
}

static void report(void *arg, const char *line)
{
	size_t *strange = arg;

	*strange += !strstr(line, "damaged");
	printf("fsck: %s; ", line);
}

/* @text: What the store holds. Damage in it is what fsck is to find. */
static int check(struct work *w, const char *text, const char *when)
{
	bool damaged = strstr(text, WORK_DAMAGED);
	struct vdfs_fsck_result result;
	size_t strange = 0;
	int ret = vdfs_fsck(w->store, 0, report, NULL, &strange, &result);

	if (!ret && (strange || !!result.faults != damaged))
		ret = damaged && !strange ? -ENODATA : -EBADMSG;
	if (ret)
		printf("%s: fsck: %s", when, strerror(-ret));
	return ret;
}

/* The store goes on working, and loses nothing by it. */
static int use(struct work *w)
{
	const struct step put = { .a = "zz/after", .size = 5000, .seed = 77 };
	struct vdfs_gc_result result;
	int ret = work_put(w, &put);

	if (!ret)
		ret = vdfs_gc(w->store, NULL, NULL, &result);
	if (!ret)
		ret = vdfs_name_unlink(w->store, &work_who, put.a);
	if (!ret)
		ret = vdfs_name_rmdir(w->store, &work_who, "zz");
	if (!ret)
		ret = work_use_items(w);
	if (ret)
		printf("does not go on working: %s", strerror(-ret));
	return ret;
}

static int verify_job(void *arg)
{
	struct job *job = arg;
	struct work w = { .dir = job->dir };
	const char *text;
	int at, ret = work_open(&w, NULL);

	if (ret) {
		printf("cannot be opened: %s", strerror(-ret));
		return ret;
	}
	at = holds(&w, job->golden, job->first, job->last, "at once");
	if (at < 0)
		return at;
	text = job->golden->text[at];
	ret = check(&w, text, "at once");
	if (!ret)
		ret = use(&w);
	if (!ret && holds(&w, job->golden, at, at, "after more work") < 0)
		ret = -EILSEQ;
	if (ret)
		return ret;
	work_close(&w);
	ret = work_open(&w, NULL);
	if (ret) {
		printf("cannot be opened again: %s", strerror(-ret));
		return ret;
	}
	if (holds(&w, job->golden, at, at, "opened again") < 0)
		ret = -EILSEQ;
	if (!ret)
		ret = check(&w, text, "opened again");
	work_close(&w);
	return ret;
}

/**
 * verify() - see whether a store keeps its promises
 * @golden: What it may hold.
 * @root: Directory above it.
 * @progress: What was acknowledged, and what was begun.
 * @why: Out, what is wrong.
 * @len: Room at @why.
 *
 * Opens it, reads everything, checks it, works on it, and opens it again.
 *
 * Return: 0 or -EIO.
 */
int verify(const struct golden *golden, const char *root,
	   const struct progress *progress, char *why, size_t len)
{
	struct job job = { .golden = golden };

	snprintf(job.dir, sizeof(job.dir), "%s/store", root);
	job.first = progress->acked ? progress->acked - 1 : 0;
	job.last = progress->begun ? progress->begun - 1 : 0;
	if (job.last < job.first)
		job.last = job.first;
	return run_forked(verify_job, &job, VERIFY_SECONDS, why, len);
}
