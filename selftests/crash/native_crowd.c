// SPDX-License-Identifier: GPL-2.0-only
/*
 * kill -9 at random moments of a crowd at work on one store, over and over:
 * each time everything that was acknowledged is there.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "crowd.h"
#include "run.h"

#define ROUNDS 25
#define CHECK_ALL 10 /* rounds between checks of all bytes */

/**
 * struct place - what is known of a place
 * @acked: Version that was acknowledged.
 * @begun: Version that was begun after it, if @open.
 * @open: A change was begun and not acknowledged.
 */
struct place {
	unsigned long acked;
	unsigned long begun;
	bool open;
};

/**
 * struct crowd - what is known of a store
 * @dir: It.
 * @places: By thread and place.
 * @round: Rounds done.
 */
struct crowd {
	char dir[128];
	struct place places[CROWD_THREADS][CROWD_PLACES];
	int round;
};

FIXTURE(crowd)
{
	struct run run;
	struct crowd *crowd;
};

FIXTURE_SETUP(crowd)
{
	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, run_init(&self->run));
	self->crowd = calloc(1, sizeof(*self->crowd));
	ASSERT_NE(NULL, self->crowd);
	snprintf(self->crowd->dir, sizeof(self->crowd->dir), "%s/store",
		 self->run.root);
}

FIXTURE_TEARDOWN(crowd)
{
	free(self->crowd);
	run_fini(&self->run);
}

static int read_notes(struct crowd *crowd, const char *path)
{
	FILE *in = fopen(path, "r");
	unsigned long version;
	struct place *place;
	int thread, nr, n = 0;
	char what;

	if (!in)
		return 0;
	while (fscanf(in, "%c %d %d %lu\n", &what, &thread, &nr, &version) ==
	       4) {
		place = &crowd->places[thread][nr];
		place->open = what == 'b';
		if (place->open)
			place->begun = version;
		else
			place->acked = version;
		n += what == 'a';
	}
	fclose(in);
	unlink(path);
	return n;
}

static int check_place(struct work *w, struct crowd *crowd, int thread, int nr)
{
	struct place *place = &crowd->places[thread][nr];
	int ret = crowd_holds(w, thread, nr, place->acked);

	if (!ret && place->open)
		ret = crowd_holds(w, thread, nr, place->begun);
	if (ret <= 0)
		printf("thread %d, place %d: neither version %lu nor %lu: %s",
		       thread, nr, place->acked,
		       place->open ? place->begun : place->acked,
		       strerror(-ret));
	return ret > 0 ? 0 : -EIO;
}

static void report(void *arg, const char *line)
{
	(void)arg;
	printf("fsck: %s; ", line);
}

static int check(void *arg)
{
	struct crowd *crowd = arg;
	struct work w = { .dir = crowd->dir };
	struct vdfs_fsck_result fsck;
	int thread, nr, ret = work_open(&w, NULL);

	if (ret)
		printf("cannot be opened: %s", strerror(-ret));
	for (thread = 0; thread < CROWD_THREADS && !ret; thread++) {
		for (nr = 0; nr < CROWD_PLACES && !ret; nr++)
			ret = check_place(&w, crowd, thread, nr);
	}
	if (!ret && crowd->round % CHECK_ALL == 0) {
		ret = vdfs_fsck(w.store, 0, report, NULL, NULL, &fsck);
		if (!ret && fsck.faults)
			ret = -EBADMSG;
		if (ret)
			printf("fsck: %s", strerror(-ret));
	}
	work_close(&w);
	return ret;
}

/* What a place that was changed last held is seen by reading it again. */
static int settle(void *arg)
{
	struct crowd *crowd = arg;
	struct work w = { .dir = crowd->dir };
	int thread, nr, ret = work_open(&w, NULL);
	struct place *place;

	for (thread = 0; thread < CROWD_THREADS && !ret; thread++) {
		for (nr = 0; nr < CROWD_PLACES; nr++) {
			place = &crowd->places[thread][nr];
			if (place->open)
				printf("%d", crowd_holds(&w, thread, nr,
							 place->begun));
		}
	}
	work_close(&w);
	return ret;
}

static int settle_all(struct crowd *crowd)
{
	char answers[4096], *at = answers;
	struct place *place;
	int thread, nr, ret;

	ret = run_forked(settle, crowd, 60, answers, sizeof(answers));
	for (thread = 0; thread < CROWD_THREADS && !ret; thread++) {
		for (nr = 0; nr < CROWD_PLACES; nr++) {
			place = &crowd->places[thread][nr];
			if (place->open && *at++ == '1')
				place->acked = place->begun;
			place->open = false;
		}
	}
	return ret;
}

/* Whether the notes say that a change was acknowledged. */
static bool has_acked(const char *path)
{
	FILE *in = fopen(path, "r");
	char line[128];
	bool found = false;

	while (in && !found && fgets(line, sizeof(line), in))
		found = *line == 'a';
	if (in)
		fclose(in);
	return found;
}

/* Killed at a random moment behind the first change that was acknowledged. */
static int kill_one(struct run *run, int round, unsigned int *seed)
{
	struct timespec wait = { .tv_nsec =
					 1000000L * (5 + rand_r(seed) % 60) };
	char number[16];
	int status;
	pid_t pid;

	snprintf(number, sizeof(number), "%d", round);
	pid = run_start(run, "crowd_prog", number);
	if (pid < 0)
		return pid;
	while (!has_acked(run->notes)) {
		if (waitpid(pid, &status, WNOHANG))
			return -EIO;
		usleep(1000);
	}
	nanosleep(&wait, NULL);
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : -EIO;
}

TEST_F_TIMEOUT(crowd, loses_nothing, 3000)
{
	const char *wanted = getenv("CHECK_CRASH_ROUNDS");
	int rounds = wanted ? atoi(wanted) : ROUNDS;
	unsigned int seed = 1;
	char why[4096];
	int acked = 0;

	self->run.keep = true;
	self->run.bare = true;
	while (self->crowd->round < rounds) {
		self->crowd->round++;
		ASSERT_EQ(0, kill_one(&self->run, self->crowd->round, &seed))
		{
			TH_LOG("round %d", self->crowd->round);
		}
		acked += read_notes(self->crowd, self->run.notes);
		ASSERT_EQ(0,
			  run_forked(check, self->crowd, 60, why, sizeof(why)))
		{
			TH_LOG("round %d: %s", self->crowd->round, why);
		}
		ASSERT_EQ(0, settle_all(self->crowd));
		if (self->crowd->round % 100 == 0)
			TH_LOG("%d of %d killed, %d changes acknowledged",
			       self->crowd->round, rounds, acked);
	}
	TH_LOG("%d killed, %d changes acknowledged", rounds, acked);
	ASSERT_LE(rounds, acked);
}

TEST_HARNESS_MAIN
