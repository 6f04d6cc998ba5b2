// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every refusal of a random call has a decision, and the grant that it names
 * lets the call through.
 */

#include "kselftest_harness.h"

#include "ask.h"
#include "infer_ioctl.h"
#include "phi_calls.h"
#include "phi_message.h"

#define ROUNDS 4000
#define TYPES (PHI_TYPE_AGENT + 1)

FIXTURE(grant)
{
	int phi;
	/* By type; 0 = none can be made here. */
	uint64_t root[TYPES];
	uint32_t rights[TYPES];
	uint64_t seed;
};

static uint32_t any(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*seed >> 33) % below;
}

static int mint(int phi, uint64_t ep, uint64_t *out)
{
	struct phi_cap_mint arg = {
		.endpoint = ep,
		.type = PHI_TYPE_FILE,
		.rights = PHI_RIGHT_ALL,
		.badge = 1,
	};
	int ret = PHI_DO(phi, CAP_MINT, &arg);

	*out = arg.out;
	return ret;
}

FIXTURE_SETUP(grant)
{
	struct phi_cap_query query;
	uint64_t id;
	uint32_t unit;

	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0,
		  do_region(self->phi, 4096, 0, &self->root[PHI_TYPE_MEMORY]));
	ASSERT_EQ(0, do_endpoint(self->phi, &self->root[PHI_TYPE_ENDPOINT]));
	ASSERT_EQ(0, do_notify(self->phi, &self->root[PHI_TYPE_NOTIFY]));
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 1, &unit,
			     &self->root[PHI_TYPE_DEVICE]));
	ASSERT_EQ(0,
		  do_model(self->phi, 8, 1, &id, &self->root[PHI_TYPE_MODEL]));
	ASSERT_EQ(0, mint(self->phi, self->root[PHI_TYPE_ENDPOINT],
			  &self->root[PHI_TYPE_FILE]));
	for (uint32_t type = 0; type < TYPES; type++) {
		if (!self->root[type])
			continue;
		ASSERT_EQ(0, do_query(self->phi, self->root[type], &query));
		ASSERT_EQ(type, query.type);
		self->rights[type] = query.rights;
	}
	self->seed = getpid();
	TH_LOG("seed %llu", (unsigned long long)self->seed);
}

FIXTURE_TEARDOWN(grant)
{
	close(self->phi);
}

/* A call that waits for nobody, about @handle. */
static int make_call(int phi, const struct call *call, uint64_t handle)
{
	uint64_t arg[CALL_BYTES / 8] = {};
	uint32_t size = call->size;
	uint8_t *at = (uint8_t *)arg;
	uint64_t soon = 1;
	int ret;

	memcpy(at, &size, 4);
	if (call->flags & PHI_NONBLOCK)
		memcpy(at + 4, &(uint32_t){ PHI_NONBLOCK }, 4);
	memcpy(at + call->target, &handle, 8);
	if (call->deadline)
		memcpy(at + call->deadline, &soon, 8);
	ret = ioctl(phi, call->cmd, arg) ? -errno : 0;
	if (!ret && call->makes) {
		memcpy(&handle, at + call->makes, 8);
		do_drop(phi, handle);
	}
	return ret;
}

/* One of the types that a decision names and this test can make, 0 = none. */
static uint32_t type_for(const struct phi_decision *d, const uint64_t *root,
			 const uint32_t *rights)
{
	for (uint32_t type = 1; type < TYPES; type++) {
		if (root[type] && d->types & 1U << type &&
		    !(d->needs & ~rights[type]))
			return type;
	}
	return 0;
}

/* A handle that is good, weak, stale, revoked or expired. */
static int pick(FIXTURE_DATA(grant) * self, uint64_t *handle)
{
	uint32_t type, rights;
	uint64_t parent;
	int ret;

	do {
		type = any(&self->seed, TYPES);
	} while (!self->root[type]);
	rights = any(&self->seed, 256) & self->rights[type];
	switch (any(&self->seed, 6)) {
	case 0:
		*handle = any(&self->seed, 1000);
		return 0;
	case 1:
		return do_derive_until(self->phi, self->root[type], rights, 1,
				       0, handle);
	case 2:
		ret = do_derive(self->phi, self->root[type], self->rights[type], &parent) ?:
			      do_derive(self->phi, parent, rights, handle);
		if (!ret && self->rights[type] & PHI_RIGHT_ADMIN)
			ret = do_revoke(self->phi, parent);
		do_drop(self->phi, parent);
		return ret;
	default:
		return do_derive(self->phi, self->root[type], rights, handle);
	}
}

static bool explained(int error)
{
	return error == -EPERM || error == -EBADF || error == -EKEYREVOKED ||
	       error == -EKEYEXPIRED;
}

TEST_F(grant, lets_the_call_through)
{
	unsigned int refused = 0, granted = 0, wheres = 0;

	for (int round = 0; round < ROUNDS; round++) {
		const struct call *call =
			&calls[any(&self->seed, ARRAY_SIZE(calls))];
		uint64_t handle, better, before;
		struct phi_decision d, after;
		uint32_t type;
		int ret;

		if (!call->target)
			continue;
		ASSERT_EQ(0, pick(self, &handle));
		before = last_id(self->phi);
		ret = make_call(self->phi, call, handle);
		ASSERT_EQ(0, do_why(self->phi, &d) && before);
		if (explained(ret)) {
			ASSERT_NE(before, d.id)
			{
				TH_LOG("%s: %d", call->name, ret);
			}
		}
		if (d.id == before || !before)
			goto next;
		refused++;
		ASSERT_EQ(ret, d.error)
		{
			TH_LOG("%s", call->name);
		}
		ASSERT_EQ(_IOC_NR(call->cmd), d.call);
		/* Another handle of the call, which is 0 here. */
		if (d.handle != handle)
			goto next;
		ASSERT_NE(PHI_DECIDED_CALL, d.where);
		ASSERT_NE(0, d.types);
		wheres |= 1U << d.where;
		type = type_for(&d, self->root, self->rights);
		if (!type)
			goto next;
		/* Exactly the grant, and no right more. */
		ASSERT_EQ(0, do_derive(self->phi, self->root[type], d.needs,
				       &better));
		ret = make_call(self->phi, call, better);
		if (!do_why(self->phi, &after) && after.id != d.id &&
		    after.handle == better) {
			ASSERT_EQ(0, after.where)
			{
				TH_LOG("%s: type %u, rights %#x: %d",
				       call->name, type, d.needs, ret);
			}
		}
		granted++;
		do_drop(self->phi, better);
next:
		do_drop(self->phi, handle);
	}
	TH_LOG("%u refused, %u granted", refused, granted);
	EXPECT_LT(ROUNDS / 10, granted);
	EXPECT_EQ(1U << PHI_DECIDED_HANDLE | 1U << PHI_DECIDED_TYPE |
			  1U << PHI_DECIDED_RIGHT | 1U << PHI_DECIDED_REVOKED |
			  1U << PHI_DECIDED_EXPIRED,
		  wheres);
}

/* The quota that a decision names, raised by what it says is missing. */
static int raise_quota(void *arg)
{
	struct phi_decision d;
	int phi, ret = 0, made = 0;
	uint64_t cap;

	(void)arg;
	if (setresuid(SOMEBODY, SOMEBODY, 0))
		return -1;
	phi = do_open();
	for (int i = 0; i < 18 && phi >= 0; i++) {
		ret = do_notify(phi, &cap);
		made += !ret;
		if (!ret)
			continue;
		if (ret != -EDQUOT || do_why(phi, &d) ||
		    d.where != PHI_DECIDED_QUOTA || d.owner != SOMEBODY)
			return -2;
		if (setresuid(SOMEBODY, 0, 0) ||
		    do_limit(d.kind == PHI_QUOTA_CAPS ? "quota_caps" :
							"quota_objects",
			     d.used + d.asked) ||
		    setresuid(SOMEBODY, SOMEBODY, 0))
			return -3;
	}
	/* Of three tries at most two find a quota spent. */
	return phi < 0 ? phi : made < 6;
}

TEST_F(grant, quota)
{
	int ret;

	ASSERT_EQ(0, do_limit("quota_caps", 4));
	ASSERT_EQ(0, do_limit("quota_objects", 4));
	ret = in_child(raise_quota, NULL);
	EXPECT_EQ(0, do_limit("quota_caps", 65536));
	EXPECT_EQ(0, do_limit("quota_objects", 16384));
	EXPECT_EQ(0, ret);
}

TEST_HARNESS_MAIN
