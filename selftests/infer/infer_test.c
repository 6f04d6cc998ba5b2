// SPDX-License-Identifier: GPL-2.0-only

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include "kselftest_harness.h"

#include "infer_ioctl.h"

FIXTURE(infer)
{
	int phi;
	uint64_t unit;
	uint64_t model;
	uint32_t unit_id;
	uint64_t model_id;
	struct phi_system_stats before;
};

FIXTURE_SETUP(infer)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 2, &self->unit_id,
			     &self->unit));
	ASSERT_EQ(0, do_model(self->phi, 32, 7, &self->model_id, &self->model));
}

/* Whatever a test did, closing gives it all back. */
FIXTURE_TEARDOWN(infer)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

static uint32_t in_flight(int phi, uint32_t unit)
{
	struct phi_unit_query query;

	return do_unit_query(phi, unit, &query) ? ~0U : query.in_flight;
}

TEST_F(infer, begin_and_end_are_accounted)
{
	struct phi_infer_begin begin;
	struct phi_model_query model;
	struct phi_unit_query unit;
	struct phi_infer_end end;

	ASSERT_EQ(0, do_begin(self->phi, self->model, 5, &begin));
	EXPECT_EQ(self->unit_id, begin.unit);
	EXPECT_EQ(5, begin.batch);
	EXPECT_EQ(PHI_CHOSEN_BUILTIN, begin.why);
	EXPECT_NE(0, begin.ticket);
	EXPECT_LE(5000000, begin.score_ns);
	EXPECT_EQ(1, in_flight(self->phi, self->unit_id));
	ASSERT_EQ(0, do_model_query(self->phi, self->model_id, &model));
	EXPECT_EQ(1, model.in_flight);

	usleep(2000);
	end = (struct phi_infer_end){ .ticket = begin.ticket };
	ASSERT_EQ(0, PHI_DO(self->phi, INFER_END, &end));
	EXPECT_LE(2000000, end.run_ns);

	ASSERT_EQ(0, do_unit_query(self->phi, self->unit_id, &unit));
	EXPECT_EQ(0, unit.in_flight);
	EXPECT_EQ(1, unit.batches);
	EXPECT_EQ(5, unit.items);
	EXPECT_EQ(end.run_ns, unit.run_ns);
	ASSERT_EQ(0, do_model_query(self->phi, self->model_id, &model));
	EXPECT_EQ(0, model.in_flight);
	EXPECT_EQ(1, model.batches);
	EXPECT_EQ(5, model.items);
	EXPECT_EQ(0, model.failed);
	EXPECT_EQ(end.run_ns, model.run_ns);
	EXPECT_EQ(32, model.max_batch);
	EXPECT_STREQ("model", (char *)model.name);
}

TEST_F(infer, begin_refuses_bad_input)
{
	struct phi_infer_begin arg;

	arg = (struct phi_infer_begin){ .flags = 1 };
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, INFER_BEGIN, &arg));
	arg = (struct phi_infer_begin){ .model = self->model,
					.batch = 1,
					.wanted = PHI_UNIT_TPU + 1 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, INFER_BEGIN, &arg));
	EXPECT_EQ(-EINVAL, do_begin(self->phi, self->model, 0, &arg));
	EXPECT_EQ(-EINVAL, do_begin(self->phi, self->model, 33, &arg));
	EXPECT_EQ(-EBADF, do_begin(self->phi, 0, 1, &arg));
	EXPECT_EQ(-EINVAL, do_begin(self->phi, self->unit, 1, &arg));
	EXPECT_EQ(0, in_flight(self->phi, self->unit_id));
}

TEST_F(infer, begin_needs_exec)
{
	struct phi_infer_begin arg;
	uint64_t weak;

	ASSERT_EQ(0, do_derive(self->phi, self->model, PHI_RIGHT_SEND, &weak));
	EXPECT_EQ(-EPERM, do_begin(self->phi, weak, 1, &arg));
	ASSERT_EQ(0, do_derive(self->phi, self->model, PHI_RIGHT_EXEC, &weak));
	ASSERT_EQ(0, do_begin(self->phi, weak, 1, &arg));
	ASSERT_EQ(0, do_revoke(self->phi, self->model));
	/* The batch that runs goes on, no other begins. */
	EXPECT_EQ(0, do_end(self->phi, arg.ticket, 0));
	EXPECT_EQ(-EKEYREVOKED, do_begin(self->phi, weak, 1, &arg));
}

TEST_F(infer, begin_on_a_revoked_endpoint)
{
	struct phi_model_register reg = { .max_batch = 1, .name = "m" };
	struct phi_infer_begin arg;
	uint64_t endpoint;

	ASSERT_EQ(0, do_endpoint(self->phi, &endpoint));
	reg.endpoint = endpoint;
	ASSERT_EQ(0, PHI_DO(self->phi, MODEL_REGISTER, &reg));
	ASSERT_EQ(0, do_revoke(self->phi, endpoint));
	EXPECT_EQ(-EKEYREVOKED, do_begin(self->phi, reg.cap, 1, &arg));
}

TEST_F(infer, end_refuses_bad_input)
{
	struct phi_infer_begin begin;
	struct phi_infer_end arg;

	ASSERT_EQ(0, do_begin(self->phi, self->model, 1, &begin));
	arg = (struct phi_infer_end){ .flags = 1, .ticket = begin.ticket };
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, INFER_END, &arg));
	arg = (struct phi_infer_end){ .ticket = begin.ticket, .pad = 1 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, INFER_END, &arg));
	EXPECT_EQ(-EINVAL, do_end(self->phi, begin.ticket, 1));
	EXPECT_EQ(-EINVAL, do_end(self->phi, begin.ticket, -4096));
	EXPECT_EQ(-ENOENT, do_end(self->phi, 0, 0));
	EXPECT_EQ(-ENOENT, do_end(self->phi, begin.ticket + 1, 0));
	EXPECT_EQ(-ENOENT, do_end(self->phi, ~0ULL, 0));
	EXPECT_EQ(1, in_flight(self->phi, self->unit_id));
	EXPECT_EQ(0, do_end(self->phi, begin.ticket, 0));
	EXPECT_EQ(-ENOENT, do_end(self->phi, begin.ticket, 0));
}

TEST_F(infer, ticket_of_another_file_is_unknown)
{
	struct phi_infer_begin begin;
	int other = do_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, do_begin(self->phi, self->model, 1, &begin));
	EXPECT_EQ(-ENOENT, do_end(other, begin.ticket, 0));
	EXPECT_EQ(0, do_end(self->phi, begin.ticket, 0));
	close(other);
}

TEST_F(infer, unwritable_ticket_is_not_begun)
{
	struct phi_infer_begin *arg;
	struct phi_model_query model;

	arg = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, arg);
	*arg = (struct phi_infer_begin){ .size = sizeof(*arg),
					 .model = self->model,
					 .batch = 1 };
	ASSERT_EQ(0, mprotect(arg, 4096, PROT_READ));
	EXPECT_EQ(-1, ioctl(self->phi, PHI_IOC_INFER_BEGIN, arg));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, in_flight(self->phi, self->unit_id));
	ASSERT_EQ(0, do_model_query(self->phi, self->model_id, &model));
	EXPECT_EQ(0, model.failed);
}

TEST_F(infer, unit_dies_with_batches_in_flight)
{
	struct phi_infer_begin begin, other;
	struct phi_model_query model;
	uint32_t id;

	ASSERT_EQ(0, do_begin(self->phi, self->model, 1, &begin));
	ASSERT_EQ(0, do_drop(self->phi, self->unit));
	EXPECT_EQ(-ENOENT, do_begin(self->phi, self->model, 1, &other));
	/* The number is used again; the old batch must not count there. */
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 1, &id, &self->unit));
	ASSERT_EQ(self->unit_id, id);
	EXPECT_EQ(0, do_end(self->phi, begin.ticket, 0));
	EXPECT_EQ(0, in_flight(self->phi, id));
	ASSERT_EQ(0, do_model_query(self->phi, self->model_id, &model));
	EXPECT_EQ(0, model.in_flight);
	EXPECT_EQ(1, model.batches);
}

TEST_F(infer, model_dies_with_batches_in_flight)
{
	struct phi_infer_begin begin;
	struct phi_model_query model;

	ASSERT_EQ(0, do_begin(self->phi, self->model, 1, &begin));
	ASSERT_EQ(0, do_drop(self->phi, self->model));
	EXPECT_EQ(-ENOENT, do_model_query(self->phi, self->model_id, &model));
	EXPECT_EQ(1, in_flight(self->phi, self->unit_id));
	EXPECT_EQ(0, do_end(self->phi, begin.ticket, 0));
	EXPECT_EQ(0, in_flight(self->phi, self->unit_id));
}

TEST_F(infer, failed_batches_teach_nothing)
{
	struct phi_infer_select before, after;
	struct phi_infer_begin begin;
	struct phi_model_query model;

	ASSERT_EQ(0, do_select(self->phi, self->model, 1, &before));
	ASSERT_EQ(0, do_begin(self->phi, self->model, 1, &begin));
	usleep(20000);
	ASSERT_EQ(0, do_end(self->phi, begin.ticket, -EIO));
	ASSERT_EQ(0, do_select(self->phi, self->model, 1, &after));
	EXPECT_EQ(before.score_ns, after.score_ns);
	ASSERT_EQ(0, do_model_query(self->phi, self->model_id, &model));
	EXPECT_EQ(1, model.failed);
	EXPECT_EQ(0, model.batches);
	EXPECT_EQ(0, model.run_ns);
}

TEST_F(infer, averages_learn)
{
	struct phi_infer_select select;
	struct phi_infer_begin begin;
	struct phi_infer_end end;

	/* Nothing is known: 1 ms an input. */
	ASSERT_EQ(0, do_select(self->phi, self->model, 4, &select));
	EXPECT_EQ(4000000, select.score_ns);
	ASSERT_EQ(0, do_begin(self->phi, self->model, 2, &begin));
	usleep(40000);
	end = (struct phi_infer_end){ .ticket = begin.ticket };
	ASSERT_EQ(0, PHI_DO(self->phi, INFER_END, &end));
	ASSERT_EQ(0, do_select(self->phi, self->model, 4, &select));
	EXPECT_EQ(end.run_ns / 2 * 4, select.score_ns);
}

/* Batches of one, begun and ended at once, must all run on a unit. */
static int run_on(int phi, uint64_t model, uint32_t unit, int n)
{
	struct phi_infer_begin begin;
	int ret = 0;

	while (!ret && n--) {
		ret = do_begin(phi, model, 1, &begin);
		if (!ret)
			ret = do_end(phi, begin.ticket, 0);
		if (!ret && begin.unit != unit)
			ret = -EXDEV;
	}
	return ret;
}

TEST_F(infer, passed_over_units_are_tried_again)
{
	struct phi_infer_select select;
	uint64_t other;
	uint32_t id;
	int i;

	/* The second looks just like the first, so of equals the first wins. */
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 2, &id, &other));
	EXPECT_EQ(0, run_on(self->phi, self->model, self->unit_id, 17));
	/* To ask is not to choose. */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, do_select(self->phi, self->model, 1, &select));
		EXPECT_EQ(id, select.unit);
	}
	EXPECT_EQ(0, run_on(self->phi, self->model, id, 1));
}

TEST_F(infer, units_tried_again_are_measured_anew)
{
	struct phi_infer_select select;
	struct phi_infer_begin begin;
	struct phi_infer_end end;
	uint64_t other;
	uint32_t id;

	/* An unlucky batch... */
	ASSERT_EQ(0, do_begin(self->phi, self->model, 1, &begin));
	usleep(500000);
	ASSERT_EQ(0, do_end(self->phi, begin.ticket, 0));
	ASSERT_EQ(0, do_select(self->phi, self->model, 1, &select));
	EXPECT_LE(500000000, select.score_ns);
	/* ...whose unit then is passed over, until nothing else is left. */
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_GPU, 1, &id, &other));
	ASSERT_EQ(0, do_unit_update(self->phi, self->unit, 0, 0, 0));
	EXPECT_EQ(0, run_on(self->phi, self->model, id, 1));
	ASSERT_EQ(0, do_unit_update(self->phi, self->unit, 0, 0, 1));
	EXPECT_EQ(0, run_on(self->phi, self->model, id, 17));
	ASSERT_EQ(0, do_drop(self->phi, other));
	ASSERT_EQ(0, do_begin(self->phi, self->model, 1, &begin));
	end = (struct phi_infer_end){ .ticket = begin.ticket };
	ASSERT_EQ(0, PHI_DO(self->phi, INFER_END, &end));
	ASSERT_EQ(0, do_select(self->phi, self->model, 1, &select));
	EXPECT_EQ(end.run_ns, select.score_ns);
}

TEST_F(infer, choice_follows_load_kind_and_health)
{
	struct phi_infer_select select;
	struct phi_infer_begin begin;
	uint64_t gpu;
	uint32_t id;

	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_GPU, 1, &id, &gpu));
	ASSERT_EQ(0, do_select(self->phi, self->model, 1, &select));
	EXPECT_EQ(self->unit_id, select.unit);
	EXPECT_EQ(PHI_CHOSEN_BUILTIN, select.why);
	select = (struct phi_infer_select){ .model = self->model,
					    .batch = 1,
					    .wanted = PHI_UNIT_GPU };
	ASSERT_EQ(0, PHI_DO(self->phi, INFER_SELECT, &select));
	EXPECT_EQ(id, select.unit);
	ASSERT_EQ(0, do_unit_update(self->phi, self->unit, 1500, 0, 1));
	ASSERT_EQ(0, do_select(self->phi, self->model, 1, &select));
	EXPECT_EQ(id, select.unit);
	EXPECT_EQ(1000000, select.score_ns);
	ASSERT_EQ(0, do_unit_update(self->phi, gpu, 0, 0, 0));
	ASSERT_EQ(0, do_begin(self->phi, self->model, 1, &begin));
	EXPECT_EQ(self->unit_id, begin.unit);
	EXPECT_EQ(1500000, begin.score_ns);
	EXPECT_EQ(0, do_end(self->phi, begin.ticket, 0));
}

TEST_F(infer, full_units_pass_batches_on)
{
	struct phi_infer_begin begin[4];
	uint64_t other;
	uint32_t id, i;

	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 2, &id, &other));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, do_begin(self->phi, self->model, 1, &begin[i]));
		EXPECT_EQ(i < 2 ? self->unit_id : id, begin[i].unit);
	}
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, do_end(self->phi, begin[i].ticket, 0));
}

TEST_F(infer, nothing_healthy_is_enoent)
{
	struct phi_infer_select select;
	struct phi_infer_begin begin;

	ASSERT_EQ(0, do_unit_update(self->phi, self->unit, 0, 0, 0));
	EXPECT_EQ(-ENOENT, do_begin(self->phi, self->model, 1, &begin));
	EXPECT_EQ(-ENOENT, do_select(self->phi, self->model, 1, &select));
	ASSERT_EQ(0, do_unit_update(self->phi, self->unit, 0, 0, 1));
	EXPECT_EQ(0, do_begin(self->phi, self->model, 1, &begin));
}

TEST_F(infer, select_refuses_bad_input)
{
	struct phi_infer_select arg;
	uint64_t weak;

	arg = (struct phi_infer_select){ .flags = 1 };
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, INFER_SELECT, &arg));
	arg = (struct phi_infer_select){ .model = self->model,
					 .batch = 1,
					 .wanted = 4 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, INFER_SELECT, &arg));
	EXPECT_EQ(-EINVAL, do_select(self->phi, self->model, 0, &arg));
	EXPECT_EQ(-EINVAL, do_select(self->phi, self->model, 33, &arg));
	EXPECT_EQ(-EBADF, do_select(self->phi, 0, 1, &arg));
	EXPECT_EQ(-EINVAL, do_select(self->phi, self->unit, 1, &arg));
	ASSERT_EQ(0, do_derive(self->phi, self->model, PHI_RIGHT_SEND, &weak));
	EXPECT_EQ(-EPERM, do_select(self->phi, weak, 1, &arg));
	EXPECT_EQ(0, in_flight(self->phi, self->unit_id));
}

/* An own unit of root's is closed to others, a shared one is open. */
static int begin_as_nobody(void *arg)
{
	struct phi_infer_begin begin;
	uint64_t model;
	uint64_t id;
	int phi;

	(void)arg;
	if (become(65534))
		return -1000;
	phi = do_open();
	if (phi < 0)
		return phi;
	return do_model(phi, 1, 0, &id, &model) ?:
						  do_begin(phi, model, 1, &begin);
}

TEST_F(infer, units_are_open_to_their_user_or_all)
{
	struct phi_unit_register own = { UNIT_DEFAULTS };

	EXPECT_EQ(0, in_child(begin_as_nobody, NULL));
	ASSERT_EQ(0, do_drop(self->phi, self->unit));
	own.flags = 0;
	ASSERT_EQ(0, PHI_DO(self->phi, UNIT_REGISTER, &own));
	EXPECT_EQ(-ENOENT, in_child(begin_as_nobody, NULL));
}

TEST_F(infer, tickets_have_a_quota)
{
	struct phi_infer_begin begin, more;
	struct phi_system_stats stats;
	uint64_t limit;

	ASSERT_EQ(0, do_begin(self->phi, self->model, 1, &begin));
	ASSERT_EQ(0, do_stats(self->phi, &stats));
	EXPECT_EQ(self->before.used[PHI_QUOTA_TICKETS] + 1,
		  stats.used[PHI_QUOTA_TICKETS]);
	limit = stats.limit[PHI_QUOTA_TICKETS];
	ASSERT_EQ(0, do_limit("quota_tickets", stats.used[PHI_QUOTA_TICKETS]));
	EXPECT_EQ(-EDQUOT, do_begin(self->phi, self->model, 1, &more));
	EXPECT_EQ(0, do_end(self->phi, begin.ticket, 0));
	EXPECT_EQ(0, do_begin(self->phi, self->model, 1, &more));
	EXPECT_EQ(0, do_limit("quota_tickets", limit));
}

/* Begin two batches and die without an end. */
static int die_in_the_middle(void *arg)
{
	struct phi_infer_begin begin;
	uint64_t model;
	uint64_t id;
	int phi = do_open();

	(void)arg;
	if (phi < 0 || do_model(phi, 4, 0, &id, &model) ||
	    do_begin(phi, model, 4, &begin) || do_begin(phi, model, 4, &begin))
		return -1;
	kill(getpid(), SIGKILL);
	return 0;
}

TEST_F(infer, dying_ends_what_was_begun)
{
	struct phi_unit_query unit;
	int i;

	EXPECT_EQ(-ECHILD, in_child(die_in_the_middle, NULL));
	for (i = 0; i < 300 && in_flight(self->phi, self->unit_id); i++)
		usleep(10000);
	ASSERT_EQ(0, do_unit_query(self->phi, self->unit_id, &unit));
	EXPECT_EQ(0, unit.in_flight);
	/* What nobody ended leaves no figures. */
	EXPECT_EQ(0, unit.batches);
	EXPECT_EQ(0, unit.items);
	EXPECT_EQ(0, unit.run_ns);
}

TEST_F(infer, model_register_refuses_bad_input)
{
	struct phi_model_register good = { .max_batch = 1, .name = "m" }, arg;
	uint64_t endpoint, weak;

	ASSERT_EQ(0, do_endpoint(self->phi, &endpoint));
	ASSERT_EQ(0, do_derive(self->phi, endpoint, PHI_RIGHT_RECV, &weak));
	good.endpoint = endpoint;
	arg = good;
	arg.flags = 1;
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, MODEL_REGISTER, &arg));
	arg = good;
	arg.max_batch = 0;
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, MODEL_REGISTER, &arg));
	arg.max_batch = 65537;
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, MODEL_REGISTER, &arg));
	arg = good;
	arg.name[0] = 0;
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, MODEL_REGISTER, &arg));
	arg = good;
	arg.name[5] = 'x';
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, MODEL_REGISTER, &arg));
	arg = good;
	arg.endpoint = self->unit;
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, MODEL_REGISTER, &arg));
	arg.endpoint = 0;
	EXPECT_EQ(-EBADF, PHI_DO(self->phi, MODEL_REGISTER, &arg));
	arg.endpoint = weak;
	EXPECT_EQ(-EPERM, PHI_DO(self->phi, MODEL_REGISTER, &arg));
	arg = good;
	EXPECT_EQ(0, PHI_DO(self->phi, MODEL_REGISTER, &arg));
}

TEST_F(infer, model_capability_is_as_promised)
{
	struct phi_model_query model;
	struct phi_cap_query cap;
	uint64_t id;
	uint64_t other;

	ASSERT_EQ(0, do_query(self->phi, self->model, &cap));
	EXPECT_EQ(PHI_TYPE_MODEL, cap.type);
	EXPECT_EQ(MODEL_RIGHTS, cap.rights);
	EXPECT_EQ(7, cap.badge);
	/* Numbers are never used again. */
	ASSERT_EQ(0, do_drop(self->phi, self->model));
	ASSERT_EQ(0, do_model(self->phi, 1, 0, &id, &other));
	EXPECT_LT(self->model_id, id);
	model = (struct phi_model_query){ .id = self->model_id };
	ASSERT_EQ(0, PHI_DO(self->phi, MODEL_QUERY, &model));
	EXPECT_EQ(id, model.id);
	EXPECT_EQ(getuid(), model.uid);
	model = (struct phi_model_query){ .id = id + 1 };
	EXPECT_EQ(-ENOENT, PHI_DO(self->phi, MODEL_QUERY, &model));
	model = (struct phi_model_query){ .flags = 1 };
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, MODEL_QUERY, &model));
	model = (struct phi_model_query){ .pad = 1 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, MODEL_QUERY, &model));
	/* Nor do they end: those that 32 bits hold would last half a day. */
	model = (struct phi_model_query){ .id = 1ULL << 32 };
	EXPECT_EQ(-ENOENT, PHI_DO(self->phi, MODEL_QUERY, &model));
}

/* What the threads of the race below share. */
struct race {
	int phi;
	uint64_t model;
	int done;
	int wrong;
	bool stop;
};

static void *run_batches(void *arg)
{
	struct phi_infer_begin begin;
	struct race *race = arg;
	int ret;

	while (!__atomic_load_n(&race->stop, __ATOMIC_RELAXED)) {
		ret = do_begin(race->phi, race->model, 1, &begin);
		if (!ret) {
			ret = do_end(race->phi, begin.ticket, 0);
			__atomic_fetch_add(&race->done, 1, __ATOMIC_RELAXED);
		} else if (ret == -ENOENT) {
			ret = 0;
		}
		if (ret)
			__atomic_store_n(&race->wrong, ret, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST_F(infer, units_come_and_go_under_batches)
{
	struct race race = { .phi = self->phi, .model = self->model };
	struct phi_model_query model;
	pthread_t threads[3];
	uint64_t unit;
	uint32_t id;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, run_batches,
					    &race));
	}
	ASSERT_EQ(0, do_drop(self->phi, self->unit));
	/* On a busy machine it takes longer until the threads run. */
	for (i = 0; i < 500 || !__atomic_load_n(&race.done, __ATOMIC_RELAXED);
	     i++) {
		ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 1, &id, &unit));
		ASSERT_EQ(0, do_unit_update(self->phi, unit, i, 0, i & 1));
		ASSERT_EQ(0, do_unit_update(self->phi, unit, i, 0, 1));
		sched_yield();
		ASSERT_EQ(0, do_drop(self->phi, unit));
	}
	__atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, race.wrong);
	ASSERT_EQ(0, do_model_query(self->phi, self->model_id, &model));
	EXPECT_EQ(0, model.in_flight);
	EXPECT_EQ(0, model.failed);
	EXPECT_EQ(race.done, model.batches);
}

TEST_HARNESS_MAIN
