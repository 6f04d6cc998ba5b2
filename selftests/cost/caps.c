// SPDX-License-Identifier: GPL-2.0-only
/* Kinds of things that are capabilities, alive or dead, and tokens of them. */

#include "cost.h"

/* One child each of all that the other user was given. */
static int derive_each(struct other *o, uint64_t expires_ns)
{
	uint64_t out;
	int ret = do_derive_until(o->phi, o->ep, PHI_RIGHT_SEND, expires_ns, 0,
				  &out);

	if (!ret)
		ret = do_derive_until(o->phi, o->region,
				      PHI_RIGHT_READ | PHI_RIGHT_MAP,
				      expires_ns, 0, &out);
	if (!ret)
		ret = do_derive_until(o->phi, o->notify, PHI_RIGHT_WRITE,
				      expires_ns, 0, &out);
	if (!ret)
		ret = do_derive_until(o->phi, o->model, PHI_RIGHT_EXEC,
				      expires_ns, 0, &out);
	return ret;
}

static int make_derived(struct other *o, int n)
{
	int ret = 0;

	for (int i = 0; i < n && !ret; i++)
		ret = derive_each(o, 0);
	return ret;
}

/* Each at another time, a day from now. */
static int make_expiring(struct other *o, int n)
{
	uint64_t expires_ns = boottime_ns() + 24 * 3600000 * MS;
	int ret = 0;

	for (int i = 0; i < n && !ret; i++)
		ret = derive_each(o, expires_ns + i * MS);
	return ret;
}

/* All have expired, and been swept, when this returns. */
static int make_expired(struct other *o, int n)
{
	uint64_t expires_ns = boottime_ns() + 60000 * MS;
	int ret = 0;

	for (int i = 0; i < n && !ret; i++)
		ret = derive_each(o, expires_ns);
	if (boottime_ns() > expires_ns)
		return -ETIME;
	while (boottime_ns() < expires_ns + 10000 * MS)
		usleep(1000000);
	return ret;
}

/* Below a child of its own, which it revokes: dead handles stay. */
static int make_revoked(struct other *o, int n)
{
	struct other child = {
		.phi = o->phi,
		.region = o->region,
		.notify = o->notify,
		.model = o->model,
	};
	int ret = do_derive(o->phi, o->ep, PHI_RIGHT_SEND | PHI_RIGHT_ADMIN,
			    &child.ep);

	if (!ret)
		ret = do_derive(o->phi, o->region,
				PHI_RIGHT_READ | PHI_RIGHT_MAP |
					PHI_RIGHT_ADMIN,
				&child.region);
	if (!ret)
		ret = do_derive(o->phi, o->notify,
				PHI_RIGHT_WRITE | PHI_RIGHT_ADMIN,
				&child.notify);
	if (!ret)
		ret = do_derive(o->phi, o->model,
				PHI_RIGHT_EXEC | PHI_RIGHT_ADMIN, &child.model);
	for (int i = 0; i < n && !ret; i++)
		ret = derive_each(&child, 0);
	return ret				       ?:
		       do_revoke(o->phi, child.ep)     ?:
		       do_revoke(o->phi, child.region) ?:
		       do_revoke(o->phi, child.notify) ?:
		       do_revoke(o->phi, child.model);
}

static int make_sealed(struct other *o, int n)
{
	struct phi_token token;
	uint64_t out;
	int ret = 0;

	for (int i = 0; i < n && !ret; i++) {
		ret = do_derive(o->phi, o->ep, PHI_RIGHT_SEND | PHI_RIGHT_GRANT,
				&out);
		ret = ret ?: do_seal(o->phi, out, PHI_RIGHT_SEND, 0, 0, &token);
	}
	return ret;
}

/* clang-format off */
const struct kind cap_kinds[] = {
	KIND(derived, make_derived),
	KIND(expiring, make_expiring),
	KIND(expired, make_expired),
	KIND(revoked, make_revoked),
	KIND(sealed, make_sealed),
	{},
};

/* clang-format on */
