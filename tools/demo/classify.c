// SPDX-License-Identifier: GPL-2.0-only
/*
 * The main job: real images through regions, from several processes that
 * share nothing, to batchd, and their labels back.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <phi/batch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "demo.h"

#define CLIENTS 3
#define ANSWERS 64
#define TRAINED_FOR 98.0 /* percent */

/* Times and result of one image. */
struct shot {
	uint64_t due_ns; /* when it was to be sent; 0 = at once */
	uint64_t done_ns;
	int32_t status;
	uint32_t unit;
	uint32_t batch;
	uint32_t why;
	uint64_t queue_ns;
	uint64_t run_ns;
	uint8_t digit;
};

/* One run of all clients; lies in memory that they share with us. */
struct run {
	uint64_t start_ns;
	uint64_t allowed_ns; /* from due to deadline; 0 = none */
	uint32_t n;
	int32_t error[CLIENTS];
	struct shot shots[];
};

struct part {
	struct run *run;
	uint32_t id;
};

static struct digits set;
static struct phi_token token;
static uint64_t model;
static double offline_rate;
static uint32_t uncapped;

static const uint8_t *map_idx(const char *path, size_t head, size_t *len)
{
	struct stat st;
	uint8_t *mem;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) || (size_t)st.st_size <= head) {
		fprintf(stderr, "demo: cannot read %s\n", path);
		return NULL;
	}
	mem = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	*len = st.st_size - head;
	return mem == MAP_FAILED ? NULL : mem + head;
}

/* Read MNIST's files and the token; 0 or a negative errno, which was said. */
int classify_init(const char *images, const char *labels, const char *path)
{
	size_t bytes, n;
	int ret;

	set.images = map_idx(images, 16, &bytes);
	set.labels = map_idx(labels, 8, &n);
	if (!set.images || !set.labels || bytes != n * IMAGE_BYTES)
		return -EINVAL;
	set.n = n;
	ret = read_token(path, &token);
	if (ret)
		fprintf(stderr, "demo: cannot read %s: %s\n", path,
			strerror(-ret));
	return ret;
}

const struct digits *test_set(void)
{
	return &set;
}

static uint8_t best_digit(const float *logits)
{
	int i, best = 0;

	for (i = 1; i < DIGITS; i++) {
		if (logits[i] > logits[best])
			best = i;
	}
	return best;
}

/* One client: its session, its region, and the images it has in flight. */
struct client {
	int phi;
	struct phi_batch *batch;
	uint8_t *images;
	float *logits;
	size_t out_at;
	uint32_t slot;
	struct run *run;
	uint32_t first;
	uint32_t n;
};

static int client_open(struct client *c)
{
	size_t page = sysconf(_SC_PAGESIZE), len;
	uint64_t handle, region;
	void *mem;
	int ret;

	c->phi = phi_open(0);
	if (c->phi < 0)
		return c->phi;
	ret = phi_cap_unseal(c->phi, &token, &handle);
	if (!ret)
		ret = phi_batch_open(c->phi, handle, PHI_BATCH_OPEN_RING,
				     now() + 30 * SECOND, &c->batch);
	if (ret)
		return ret;
	c->out_at = (c->n * IMAGE_BYTES + page - 1) / page * page;
	len = c->out_at + c->n * DIGITS * sizeof(float);
	len = (len + page - 1) / page * page;
	ret = phi_region_create(c->phi, len, 0, &region);
	if (!ret)
		ret = phi_region_map(c->phi, region, PROT_READ | PROT_WRITE,
				     &mem, NULL);
	if (ret)
		return ret;
	c->images = mem;
	c->logits = (float *)((char *)mem + c->out_at);
	memcpy(c->images, set.images + (size_t)c->first * IMAGE_BYTES,
	       c->n * IMAGE_BYTES);
	ret = phi_batch_region(c->batch, region,
			       PHI_RIGHT_READ | PHI_RIGHT_WRITE,
			       now() + 30 * SECOND);
	if (ret < 0)
		return ret;
	c->slot = ret;
	return 0;
}

static int client_submit(struct client *c, uint32_t i)
{
	const struct phi_batch_attached *info = phi_batch_info(c->batch);
	struct shot *shot = &c->run->shots[c->first + i];
	struct phi_batch_request req = {
		.head.tag = i,
		.priority = PHI_BATCH_PRIORITY_NORMAL,
		.input = info->input,
		.output = info->output,
	};

	if (!shot->due_ns)
		shot->due_ns = now();
	if (c->run->allowed_ns)
		req.deadline_ns = shot->due_ns + c->run->allowed_ns;
	req.input.shape[0] = 1;
	req.input.slot = c->slot;
	req.input.offset = (uint64_t)i * IMAGE_BYTES;
	req.output.shape[0] = 1;
	req.output.slot = c->slot;
	req.output.offset = c->out_at + (uint64_t)i * DIGITS * sizeof(float);
	return phi_batch_submit(c->batch, &req);
}

static int client_take(struct client *c, const struct phi_batch_answer *a)
{
	struct shot *shot;

	if (a->tag >= c->n)
		return -EPROTO;
	shot = &c->run->shots[c->first + a->tag];
	shot->done_ns = now();
	shot->status = a->status;
	shot->unit = a->unit;
	shot->batch = a->batch;
	shot->why = a->why;
	shot->queue_ns = a->queue_ns;
	shot->run_ns = a->run_ns;
	shot->digit = best_digit(c->logits + a->tag * DIGITS);
	return 0;
}

/*
 * Send each image when it is due, however long answers take (an open loop),
 * or at once where none is due; take answers meanwhile.
 */
static int client_work(struct client *c)
{
	struct phi_batch_answer answers[ANSWERS];
	uint32_t sent = 0, done = 0;
	int i, got, ret;

	while (done < c->n) {
		uint64_t due = 0, until = 0;

		if (sent < c->n) {
			due = c->run->shots[c->first + sent].due_ns;
			ret = due <= now() ? client_submit(c, sent) : -EBUSY;
			if (!ret) {
				sent++;
				continue;
			}
			if (ret != -EAGAIN && ret != -EBUSY)
				return ret;
			/* Without credit only an answer helps. */
			until = ret == -EBUSY ? due : 0;
		}
		got = phi_batch_reap(c->batch, answers, ANSWERS, until);
		if (got == -ETIMEDOUT)
			continue;
		if (got < 0)
			return got;
		if (!got)
			sleep_until(until);
		for (i = 0; i < got; i++) {
			ret = client_take(c, &answers[i]);
			if (ret)
				return ret;
		}
		done += got;
	}
	return 0;
}

static int client_main(struct run *run, uint32_t id)
{
	struct client c = { .run = run };
	int ret;

	c.first = (uint64_t)run->n * id / CLIENTS;
	c.n = (uint64_t)run->n * (id + 1) / CLIENTS - c.first;
	ret = client_open(&c);
	if (!ret) {
		sleep_until(run->start_ns);
		ret = client_work(&c);
	}
	run->error[id] = ret;
	phi_batch_close(c.batch);
	return ret ? 1 : 0;
}

static struct run *run_new(uint32_t n)
{
	size_t len = sizeof(struct run) + n * sizeof(struct shot);
	struct run *run = mmap(NULL, len, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (run == MAP_FAILED) {
		perror("demo: mmap");
		exit(1);
	}
	run->n = n;
	/* The clients need a moment to start. */
	run->start_ns = now() + SECOND;
	return run;
}

static void run_free(struct run *run)
{
	munmap(run, sizeof(*run) + run->n * sizeof(struct shot));
}

/* All clients at once, each a process; whether all ended well. */
static bool run_clients(struct run *run)
{
	uint32_t id;
	int status;
	bool well = true;

	fflush(stdout);
	for (id = 0; id < CLIENTS; id++) {
		if (!fork())
			_exit(client_main(run, id));
	}
	for (id = 0; id < CLIENTS; id++) {
		if (wait(&status) < 0 || status)
			well = false;
	}
	for (id = 0; id < CLIENTS; id++) {
		if (run->error[id])
			line("client %u: %s", id, err_name(run->error[id]));
	}
	return well;
}

struct figures {
	uint32_t answered;
	uint32_t late;
	uint32_t other;
	int32_t other_status;
	uint32_t right;
	uint32_t largest;
	double batches;
	double by_size[17];
	uint32_t by_unit[PHI_UNITS_MAX][3];
	double seconds;
};

static void count_run(const struct run *run, struct figures *f)
{
	uint64_t last = 0;
	uint32_t i;

	memset(f, 0, sizeof(*f));
	for (i = 0; i < run->n; i++) {
		const struct shot *s = &run->shots[i];

		if (s->done_ns > last)
			last = s->done_ns;
		if (s->status == -ETIMEDOUT) {
			f->late++;
			continue;
		}
		if (s->status || !s->batch) {
			f->other++;
			f->other_status = s->status;
			continue;
		}
		f->answered++;
		f->right += s->digit == set.labels[i];
		if (s->batch > f->largest)
			f->largest = s->batch;
		f->batches += 1.0 / s->batch;
		f->by_size[31 - __builtin_clz(s->batch)] += 1.0 / s->batch;
		if (s->unit < PHI_UNITS_MAX && s->why < 3)
			f->by_unit[s->unit][s->why]++;
	}
	f->seconds = last > run->start_ns ?
			     (double)(last - run->start_ns) / SECOND :
			     1;
}

static void show_batches(const struct figures *f)
{
	static const char bar[] = "########################################";
	double most = 0;
	int i;

	for (i = 0; i < 17; i++) {
		if (f->by_size[i] > most)
			most = f->by_size[i];
	}
	line("batches by size (%.0f batches, %.1f images each on average):",
	     f->batches, f->batches > 0 ? f->answered / f->batches : 0);
	for (i = 0; i < 17; i++) {
		if (f->by_size[i] < 0.5)
			continue;
		line("  %4d-%-4d %5.0f %.*s", 1 << i, (2 << i) - 1,
		     f->by_size[i],
		     (int)(f->by_size[i] / most * (sizeof(bar) - 1)), bar);
	}
}

static void show_units(const struct figures *f)
{
	static const char *const who[] = { "", "built-in choice", "policy" };
	struct phi_unit_query unit;
	int phi = phi_open(0), id, why;

	for (id = 0; id < PHI_UNITS_MAX; id++) {
		for (why = 1; why < 3; why++) {
			if (!f->by_unit[id][why])
				continue;
			if (phi_unit_query(phi, id, &unit))
				unit.name[0] = '\0';
			line("unit %d (%s) ran %u images, chosen by the %s", id,
			     unit.name, f->by_unit[id][why], who[why]);
		}
	}
	phi_close(phi);
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Latency from when an image was due, not from when it could be sent. */
static uint64_t show_latency(const struct run *run, const struct figures *f)
{
	uint64_t *ns = calloc(run->n, sizeof(*ns)), p99;
	uint64_t queue = 0, runs = 0;
	uint32_t i, n = 0;

	for (i = 0; i < run->n; i++) {
		const struct shot *s = &run->shots[i];

		if (s->status || !s->batch)
			continue;
		ns[n++] = s->done_ns - s->due_ns;
		queue += s->queue_ns;
		runs += s->run_ns;
	}
	if (!n) {
		free(ns);
		return 0;
	}
	qsort(ns, n, sizeof(*ns), by_size);
	p99 = ns[(n - 1) * 99 / 100];
	line("latency of %u images: p50 %.1f ms, p90 %.1f ms, p99 %.1f ms, longest %.1f ms",
	     f->answered, ns[(n - 1) / 2] / 1e6, ns[(n - 1) * 90 / 100] / 1e6,
	     p99 / 1e6, ns[n - 1] / 1e6);
	line("of it on average: waiting in line %.1f ms, running %.1f ms",
	     queue / 1e6 / n, runs / 1e6 / n);
	free(ns);
	return p99;
}

static double accuracy(const struct figures *f)
{
	return f->answered ? 100.0 * f->right / f->answered : 0;
}

/* All images as fast as credits allow. */
void classify_offline(void)
{
	struct run *run = run_new(set.n);
	struct figures f;
	bool well;

	heading("%u handwritten digits from %d processes, as fast as they can",
		set.n, CLIENTS);
	well = run_clients(run);
	count_run(run, &f);
	offline_rate = f.answered / f.seconds;
	uncapped = f.largest;
	line("%u images in %.2f s: %.0f images/s", f.answered, f.seconds,
	     offline_rate);
	show_batches(&f);
	show_units(&f);
	expect("every image is answered", well && f.answered == set.n,
	       "%u of %u", f.answered, set.n);
	expect("accuracy on images never trained on",
	       accuracy(&f) >= TRAINED_FOR, "%.2f %% (%u of %u right)",
	       accuracy(&f), f.right, f.answered);
	expect("requests of different processes share batches",
	       f.batches < f.answered / 2.0, "%.1f images a batch",
	       f.answered / (f.batches > 0 ? f.batches : 1));
	run_free(run);
}

/* Poisson arrivals at a quarter of what the first run reached, with deadlines. */
void classify_server(void)
{
	double rate = offline_rate / 4;
	uint32_t n = rate * 6 < set.n ? rate * 6 : set.n, i, id;
	struct run *run = run_new(n);
	struct figures f;
	uint64_t p99;
	bool well;

	srand48(20);
	run->allowed_ns = 3 * SECOND;
	for (id = 0; id < CLIENTS; id++) {
		uint32_t end = (uint64_t)n * (id + 1) / CLIENTS;
		double at = run->start_ns;

		for (i = (uint64_t)n * id / CLIENTS; i < end; i++) {
			at -= log(1 - drand48()) * 1e9 * CLIENTS / rate;
			run->shots[i].due_ns = at;
		}
	}
	heading("%u images when they come, %.0f a second, each with %llu s to its deadline",
		n, rate, (unsigned long long)(run->allowed_ns / SECOND));
	well = run_clients(run);
	count_run(run, &f);
	p99 = show_latency(run, &f);
	show_batches(&f);
	show_units(&f);
	expect("an image is answered, or refused for lateness",
	       well && f.answered + f.late == n, "%u answered, %u refused",
	       f.answered, f.late);
	expect("nearly all are in time", p99 && f.late <= n / 20,
	       "%.1f %% in time, p99 %.1f ms", 100.0 * f.answered / (n ?: 1),
	       p99 / 1e6);
	run_free(run);
}

/* The same with a policy that chooses units. */
void classify_units(void)
{
	struct run *run = run_new(set.n / 10);
	uint32_t id, by_policy = 0;
	struct figures f;
	bool well;

	heading("A policy chooses the unit");
	command("bpftool prog loadall $PHI_BPF/select_least_loaded.bpf.o " PINS
		"/select_least_loaded autoattach pinmaps " PINS
		"/select_least_loaded");
	well = run_clients(run);
	count_run(run, &f);
	show_units(&f);
	for (id = 0; id < PHI_UNITS_MAX; id++)
		by_policy += f.by_unit[id][PHI_CHOSEN_POLICY];
	expect("units are chosen by the policy",
	       well && f.answered == run->n && by_policy == run->n,
	       "%u of %u images", by_policy, run->n);
	command("rm -r " PINS "/select_least_loaded");
	run_free(run);
}

static int find_model(void)
{
	struct phi_model_query q;
	int phi = phi_open(0);
	uint64_t id = 0;
	int ret;

	while (!(ret = phi_model_query(phi, id, &q))) {
		if (!strcmp((char *)q.name, "digits"))
			model = q.id;
		id = q.id + 1;
	}
	phi_close(phi);
	return model ? 0 : -ENOENT;
}

static void map_key(char *text, size_t room, uint64_t key)
{
	size_t at = 0;

	for (int i = 0; i < 8 && at < room; i++, key >>= 8)
		at += snprintf(text + at, room - at, "%s%02x", i ? " " : "",
			       (unsigned int)(key & 255));
}

/* A policy caps the model's batches, then refuses it. */
void classify_capped(void)
{
	struct run *run = run_new(set.n / 10);
	struct figures f;
	char key[32];
	bool well;

	heading("A policy caps a model's batches at 4, then refuses the model");
	if (find_model()) {
		expect("the model is registered", false, "ENOENT");
		return;
	}
	map_key(key, sizeof(key), model);
	command("bpftool map update pinned " PINS
		"/infer_guard/caps key hex %s value hex 04 00 00 00",
		key);
	well = run_clients(run);
	count_run(run, &f);
	show_batches(&f);
	expect("a capped model stays below its cap",
	       well && f.answered == run->n && f.largest <= 4 && uncapped > 4,
	       "largest batch %u, it was %u", f.largest, uncapped);
	run_free(run);

	command("bpftool map update pinned " PINS
		"/infer_guard/caps key hex %s value hex 00 00 00 00",
		key);
	run = run_new(30);
	well = run_clients(run);
	count_run(run, &f);
	expect("a refused model runs nothing",
	       well && f.other == 30 && f.other_status == -EPERM,
	       "%u of 30 requests got %s", f.other, err_name(f.other_status));
	run_free(run);

	command("bpftool map delete pinned " PINS
		"/infer_guard/caps key hex %s",
		key);
	run = run_new(30);
	well = run_clients(run);
	count_run(run, &f);
	expect("without the rule it runs again", well && f.answered == 30,
	       "%u of 30 answered", f.answered);
	run_free(run);
}
