// SPDX-License-Identifier: GPL-2.0-only
/*
 * storm_prog [--calls N] [--seed S] [--corpus DIR] [--cover] [--keep DIR] -
 * random programs of calls, run by threads that race, in processes that are
 * killed, stopped and frozen meanwhile. It begins with the programs of --corpus
 * and --keep. With --cover on a kernel that has KCOV, programs that reach
 * something new are varied, and --keep gets them. The same N and S try the same
 * programs, but for what KCOV adds.
 *
 * Prints KTAP: nothing hangs, no promise is broken, and the counters of the
 * host are what they were. The kernel log is for the caller to judge.
 */

#include "kselftest.h"

#include "cover.h"
#include "storm.h"

#include <dirent.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#define THREADS 3
#define CORPUS_MAX 512
#define PROGRAMS_PER_LIFE 40

/* Shared by all processes. */
struct pool {
	struct storm_program kept[CORPUS_MAX];
	unsigned int count;
	unsigned long steps;
	unsigned int places;
	uint8_t seen[COVER_BITS];
};

struct options {
	unsigned long calls;
	unsigned long seed;
	const char *corpus;
	const char *keep;
	bool cover;
};

/* A life: so many programs in one process. */
struct life {
	struct pool *pool;
	uint64_t state;
	bool cover;
	bool mortal;
	uid_t uid;
};

struct racer {
	struct storm *storm;
	const struct storm_program *program;
	unsigned int first;
};

static uint32_t roll(struct life *life)
{
	life->state ^= life->state >> 12;
	life->state ^= life->state << 25;
	life->state ^= life->state >> 27;
	return (life->state * 0x2545f4914f6cdd1dULL) >> 32;
}

/* A kept program with some steps changed, or a new one. */
static void invent(struct life *life, struct storm_program *program)
{
	unsigned int count =
		__atomic_load_n(&life->pool->count, __ATOMIC_ACQUIRE);
	unsigned int changes = 1 + roll(life) % 4;

	if (!count || roll(life) % 4 == 0) {
		for (unsigned int i = 0; i < STORM_STEPS; i++)
			program->steps[i] = roll(life);
		return;
	}
	*program = life->pool->kept[roll(life) % count];
	while (changes--)
		program->steps[roll(life) % STORM_STEPS] = roll(life);
}

static void save(struct pool *pool, const struct storm_program *program)
{
	unsigned int n = pool->count;

	if (n == CORPUS_MAX)
		return;
	pool->kept[n] = *program;
	__atomic_store_n(&pool->count, n + 1, __ATOMIC_RELEASE);
}

static void *race(void *arg)
{
	struct racer *racer = arg;
	struct storm_thread thread;

	if (storm_enter(&thread, racer->storm)) {
		racer->storm->wrong = -EIO;
		return NULL;
	}
	for (unsigned int i = 0; i < STORM_STEPS; i++)
		storm_step(&thread,
			   racer->program->steps[(racer->first + i * 7) %
						 STORM_STEPS]);
	storm_leave(&thread);
	return NULL;
}

/* One program: this thread in its order, others beside it in theirs. */
static int perform(struct life *life, struct storm *storm,
		   const struct storm_program *program, struct cover *cover)
{
	struct racer racers[THREADS - 1];
	pthread_t threads[THREADS - 1];
	struct storm_thread thread;
	unsigned int fresh = 0;
	int ret = storm_enter(&thread, storm);

	if (ret)
		return ret;
	for (unsigned int i = 0; i < THREADS - 1; i++) {
		racers[i] = (struct racer){ storm, program, 5 * i + 3 };
		ret = pthread_create(&threads[i], NULL, race, &racers[i]);
		if (ret)
			return -ret;
	}
	for (unsigned int i = 0; i < STORM_STEPS; i++) {
		cover_start(cover);
		storm_step(&thread, program->steps[i]);
		fresh += cover_stop(cover, life->pool->seen);
	}
	for (unsigned int i = 0; i < THREADS - 1; i++)
		pthread_join(threads[i], NULL);
	storm_leave(&thread);
	if (fresh) {
		life->pool->places += fresh;
		save(life->pool, program);
	}
	__atomic_add_fetch(&life->pool->steps, THREADS * STORM_STEPS,
			   __ATOMIC_RELAXED);
	return storm->wrong;
}

static int live(struct life *life)
{
	static struct storm storm;
	struct storm_program program;
	struct cover cover = { .fd = -1 };
	int ret = 0;

	/* Before the uid goes: debugfs is for root. */
	if (life->cover && !cover_open(&cover))
		return -ENOTSUP;
	if (life->uid)
		ret = become(life->uid);
	storm.mortal = life->mortal;
	ret = ret ?: storm_world(&storm);
	for (unsigned int i = 0; !ret && i < PROGRAMS_PER_LIFE; i++) {
		invent(life, &program);
		ret = perform(life, &storm, &program, &cover);
	}
	cover_close(&cover);
	return ret;
}

/* Stop, continue, freeze and thaw it as it goes on, until it ends. */
static int harass(pid_t pid, struct pool *pool, int freezer)
{
	unsigned long mark = pool->steps + 500;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		usleep(1000);
		if (__atomic_load_n(&pool->steps, __ATOMIC_RELAXED) < mark)
			continue;
		mark += 500;
		kill(pid, SIGSTOP);
		kill(pid, SIGCONT);
		if (freezer >= 0 && (pwrite(freezer, "1", 1, 0) != 1 ||
				     pwrite(freezer, "0", 1, 0) != 1))
			return -EIO;
	}
	return status;
}

/* A cgroup for the lives, when this may make one. Return: its freezer or -1. */
static int make_cgroup(char *path, size_t room)
{
	char name[160];

	snprintf(path, room, "/sys/fs/cgroup/phi-storm-%d", getpid());
	if (mkdir(path, 0755))
		return -1;
	snprintf(name, sizeof(name), "%s/cgroup.freeze", path);
	return open(name, O_RDWR | O_CLOEXEC);
}

static void join_cgroup(const char *path)
{
	char name[160];
	int fd;

	snprintf(name, sizeof(name), "%s/cgroup.procs", path);
	fd = open(name, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "0", 1) != 1)
		printf("# not in the cgroup: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* Return: 0, or what went wrong. */
static int storm_life(struct life *life, const char *cgroup, int freezer)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		int ret;

		if (freezer >= 0)
			join_cgroup(cgroup);
		alarm(2000);
		ret = live(life);
		if (ret)
			printf("# %s\n", strerror(-ret));
		fflush(stdout);
		_exit(!!ret);
	}
	status = harass(pid, life->pool, freezer);
	if (!status || (life->mortal && status == SIGKILL))
		return 0;
	printf("# ended with %#x\n", status);
	return -ECHILD;
}

static void load_corpus(struct pool *pool, const char *path)
{
	struct storm_program program;
	struct dirent *entry;
	char name[512];
	DIR *dir = opendir(path);
	int fd;

	while (dir && (entry = readdir(dir))) {
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		fd = open(name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, &program, sizeof(program)) == sizeof(program))
			save(pool, &program);
		close(fd);
	}
	if (dir)
		closedir(dir);
}

static void save_corpus(const struct pool *pool, const char *path,
			unsigned int first)
{
	char name[512];

	for (unsigned int i = first; i < pool->count; i++) {
		int fd;

		snprintf(name, sizeof(name), "%s/%03u", path, i);
		fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd < 0)
			continue;
		if (write(fd, &pool->kept[i], sizeof(pool->kept[i])) < 0)
			printf("# %s: %s\n", name, strerror(errno));
		close(fd);
	}
}

/* Return: 0, or the seed that failed. */
static unsigned long rage(const struct options *o, struct pool *pool)
{
	unsigned long seed = o->seed;
	char cgroup[96];
	int freezer = make_cgroup(cgroup, sizeof(cgroup));
	int ret = 0;

	for (; !ret && pool->steps < o->calls; seed++) {
		struct life life = {
			.pool = pool,
			.state = seed * 0x9e3779b97f4a7c15ULL | 1,
			.cover = o->cover,
			.mortal = seed % 3 == 0,
			.uid = seed % 2 ? 0 : 4242,
		};

		ret = storm_life(&life, cgroup, freezer);
	}
	if (freezer >= 0) {
		close(freezer);
		rmdir(cgroup);
	}
	return ret ? seed - 1 : 0;
}

static int parse(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{ "calls", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ "corpus", required_argument, NULL, 'd' },
		{ "keep", required_argument, NULL, 'k' },
		{ "cover", no_argument, NULL, 'c' },
		{},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 'n')
			o->calls = strtoul(optarg, NULL, 0);
		else if (c == 's')
			o->seed = strtoul(optarg, NULL, 0);
		else if (c == 'd')
			o->corpus = optarg;
		else if (c == 'k')
			o->keep = optarg;
		else if (c == 'c')
			o->cover = true;
		else
			return -EINVAL;
	}
	return o->seed ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	struct options o = { .calls = 20000, .seed = 1 };
	struct phi_system_stats before;
	struct cover cover = { .fd = -1 };
	unsigned int loaded;
	unsigned long bad;
	struct pool *pool;
	int phi;

	if (parse(&o, argc, argv))
		return KSFT_FAIL;
	ksft_print_header();
	ksft_set_plan(2);
	phi = do_open();
	pool = mmap(NULL, sizeof(*pool), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (phi < 0 || pool == MAP_FAILED || do_stats(phi, &before))
		ksft_exit_fail_msg("is phi.ko loaded?\n");
	if (o.cover && !cover_open(&cover)) {
		ksft_print_msg("no KCOV: the programs are random alone\n");
		o.cover = false;
	}
	cover_close(&cover);
	if (o.corpus)
		load_corpus(pool, o.corpus);
	if (o.keep)
		load_corpus(pool, o.keep);
	loaded = pool->count;
	bad = rage(&o, pool);
	if (o.keep)
		save_corpus(pool, o.keep, loaded);
	ksft_print_msg("%lu steps, %u places, %u programs kept\n", pool->steps,
		       pool->places, pool->count);
	if (bad)
		ksft_print_msg("seed %lu\n", bad);
	ksft_test_result(!bad, "no promise is broken\n");
	ksft_test_result(do_settled(phi, &before), "nothing is left\n");
	ksft_finished();
}
