// SPDX-License-Identifier: GPL-2.0-only
/*
 * 64 processes of three users send each other capabilities, derive, revoke,
 * map and call, while a killer ends them in the middle of whatever they do.
 * Afterwards everything that they made is gone: the counters of the host and
 * of each user are what they were. PHI_CHAOS_LIVES says how many processes
 * there are in all.
 */

#include "kselftest_harness.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "actor.h"

#define LIVES 256
#define ROUNDS 120
/* Rounds of all between two kills. */
#define KILL_EVERY 80

static const uid_t uids[] = { 0, 4242, 4243 };

/* What a user has used up. */
static int used_by(void *arg)
{
	struct phi_system_stats *stats = arg;
	int phi, ret = become(stats->flags);

	if (ret)
		return ret;
	phi = do_open();
	if (phi < 0)
		return phi;
	return do_stats(phi, stats);
}

FIXTURE(chaos)
{
	int phi;
	struct phi_system_stats before;
	struct phi_system_stats *user; /* shared with who asks */
	struct phi_system_stats users_before[ARRAY_SIZE(uids)];
	struct stage *stage;
	pid_t pids[ACTORS];
	unsigned int lives;
	unsigned int killed;
};

static void *shared(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

FIXTURE_SETUP(chaos)
{
	self->user = shared(sizeof(*self->user));
	self->stage = shared(sizeof(*self->stage));
	ASSERT_NE(MAP_FAILED, self->user);
	ASSERT_NE(MAP_FAILED, self->stage);
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(uids); i++) {
		self->user->flags = uids[i];
		ASSERT_EQ(0, in_child(used_by, self->user));
		self->users_before[i] = *self->user;
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
}

FIXTURE_TEARDOWN(chaos)
{
	EXPECT_TRUE(do_settled(self->phi, &self->before));
	for (unsigned int i = 0; i < ARRAY_SIZE(uids); i++) {
		self->user->flags = uids[i];
		EXPECT_EQ(0, in_child(used_by, self->user));
		for (unsigned int q = 0; q < PHI_QUOTAS; q++) {
			EXPECT_EQ(self->users_before[i].used[q],
				  self->user->used[q])
			{
				TH_LOG("uid %u, quota %u", uids[i], q);
			}
		}
	}
	close(self->phi);
}

static pid_t start(FIXTURE_DATA(chaos) * self, unsigned int number)
{
	struct actor actor = {
		.stage = self->stage,
		.number = number,
		.seed = ++self->lives,
		.uid = uids[number % ARRAY_SIZE(uids)],
		.rounds = ROUNDS,
	};
	pid_t pid = fork();
	int ret;

	if (pid)
		return pid;
	/* A hang is a failure, not a wait. */
	alarm(2000);
	setpriority(PRIO_PROCESS, 0, 0);
	ret = actor_live(&actor);
	if (ret)
		printf("# life %u: %s\n", self->lives, strerror(-ret));
	fflush(stdout);
	_exit(ret ? 1 : 0);
}

static unsigned int number_of(FIXTURE_DATA(chaos) * self, pid_t pid)
{
	unsigned int i;

	for (i = 0; i < ACTORS && self->pids[i] != pid; i++)
		;
	return i;
}

static void kill_one(FIXTURE_DATA(chaos) * self)
{
	unsigned int first = self->killed * 37 % ACTORS;

	for (unsigned int i = 0; i < ACTORS; i++) {
		pid_t pid = self->pids[(first + i) % ACTORS];

		if (pid) {
			kill(pid, SIGKILL);
			self->killed++;
			return;
		}
	}
}

TEST_F_TIMEOUT(chaos, nothing_is_left, 560)
{
	const char *text = getenv("PHI_CHAOS_LIVES");
	unsigned int lives = text ? strtoul(text, NULL, 0) : LIVES;
	unsigned long kill_at = KILL_EVERY;
	unsigned int running = 0;

	/* The killer comes in between, however many there are. */
	ASSERT_EQ(0, setpriority(PRIO_PROCESS, 0, -20));
	for (; running < ACTORS; running++) {
		self->pids[running] = start(self, running);
		ASSERT_LT(0, self->pids[running]);
	}
	while (running) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		ASSERT_LE(0, pid);
		if (pid) {
			unsigned int i = number_of(self, pid);

			ASSERT_GT(ACTORS, i);
			EXPECT_TRUE(status == 0 || status == SIGKILL)
			{
				TH_LOG("actor %u ended with %#x", i, status);
			}
			running--;
			self->pids[i] = 0;
			if (self->lives < lives) {
				self->pids[i] = start(self, i);
				running++;
			}
			continue;
		}
		if (__atomic_load_n(&self->stage->rounds, __ATOMIC_RELAXED) >=
		    kill_at) {
			kill_one(self);
			kill_at += KILL_EVERY;
		}
		usleep(500);
	}
	printf("# %u lives, %u killed, %lu rounds\n", self->lives, self->killed,
	       self->stage->rounds);
	EXPECT_LT(0, self->killed);
	/* A crowd in which nothing succeeds proves nothing. */
	for (unsigned int i = 0; i < DEEDS; i++) {
		printf("# deed %u: %lu\n", i, self->stage->done[i]);
		EXPECT_NE(0, self->stage->done[i]);
	}
}

TEST_HARNESS_MAIN
