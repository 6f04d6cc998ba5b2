// SPDX-License-Identifier: LGPL-2.1-or-later
/* Capabilities: see uapi/phi/cap.h. */
#include "internal.h"

int phi_cap_derive(int phi, uint64_t cap, uint32_t rights, uint64_t expires_ns,
		   uint64_t badge, uint64_t *out)
{
	struct phi_cap_derive arg = {
		.size = sizeof(arg),
		.cap = cap,
		.rights = rights,
		.expires_ns = expires_ns,
		.badge = badge,
	};
	int ret = phi_ioctl(phi, PHI_IOC_CAP_DERIVE, &arg);

	if (!ret)
		*out = arg.out;
	return ret;
}

int phi_cap_revoke(int phi, uint64_t cap)
{
	struct phi_cap_revoke arg = { .size = sizeof(arg), .cap = cap };

	return phi_ioctl(phi, PHI_IOC_CAP_REVOKE, &arg);
}

int phi_cap_revoke_wait(int phi, uint64_t cap)
{
	struct phi_cap_revoke arg = {
		.size = sizeof(arg),
		.flags = PHI_REVOKE_WAIT,
		.cap = cap,
	};

	return phi_ioctl(phi, PHI_IOC_CAP_REVOKE, &arg);
}

int phi_cap_revoke_one(int phi, uint64_t cap, uint64_t child)
{
	struct phi_cap_revoke arg = {
		.size = sizeof(arg),
		.flags = PHI_REVOKE_ONE,
		.cap = cap,
		.child = child,
	};

	return phi_ioctl(phi, PHI_IOC_CAP_REVOKE, &arg);
}

int phi_cap_drop(int phi, uint64_t cap)
{
	struct phi_cap_drop arg = { .size = sizeof(arg), .cap = cap };

	return phi_ioctl(phi, PHI_IOC_CAP_DROP, &arg);
}

int phi_cap_query(int phi, uint64_t cap, struct phi_cap_query *out)
{
	struct phi_cap_query arg = { .size = sizeof(arg), .cap = cap };
	int ret = phi_ioctl(phi, PHI_IOC_CAP_QUERY, &arg);

	if (!ret)
		*out = arg;
	return ret;
}

/* Seal into @token, which receives a whole token or nothing. */
static int seal(int phi, struct phi_cap_seal arg, void *token, size_t len)
{
	union {
		struct phi_token phi;
		struct phi_aios_token aios;
	} sealed;
	int ret;

	arg.size = sizeof(arg);
	arg.token = (uintptr_t)&sealed;
	ret = phi_ioctl(phi, PHI_IOC_CAP_SEAL, &arg);
	if (!ret)
		memcpy(token, &sealed, len);
	return ret;
}

static int unseal(int phi, uint32_t flags, const void *token, uint64_t *out)
{
	struct phi_cap_unseal arg = {
		.size = sizeof(arg),
		.flags = flags,
		.token = (uintptr_t)token,
	};
	int ret = phi_ioctl(phi, PHI_IOC_CAP_UNSEAL, &arg);

	if (!ret)
		*out = arg.out;
	return ret;
}

int phi_cap_seal(int phi, uint64_t cap, uint32_t rights, uint32_t audience,
		 uint64_t expires_ns, struct phi_token *token)
{
	struct phi_cap_seal arg = {
		.cap = cap,
		.rights = rights,
		.audience = audience,
		.expires_ns = expires_ns,
	};

	return seal(phi, arg, token, sizeof(*token));
}

int phi_cap_unseal(int phi, const struct phi_token *token, uint64_t *out)
{
	return unseal(phi, 0, token, out);
}

int phi_cap_seal_aios(int phi, uint64_t cap, uint32_t rights, uint32_t audience,
		      uint64_t expires_ns, struct phi_aios_token *token)
{
	struct phi_cap_seal arg = {
		.flags = PHI_SEAL_AIOS,
		.cap = cap,
		.rights = rights,
		.audience = audience,
		.expires_ns = expires_ns,
	};

	return seal(phi, arg, token, sizeof(*token));
}

int phi_cap_unseal_aios(int phi, const struct phi_aios_token *token,
			uint64_t *out)
{
	return unseal(phi, PHI_SEAL_AIOS, token, out);
}

int phi_cap_same(int phi, uint64_t a, uint64_t b)
{
	struct phi_cap_same arg = { .size = sizeof(arg), .a = a, .b = b };
	int ret = phi_ioctl(phi, PHI_IOC_CAP_SAME, &arg);

	return ret ? ret : (int)arg.same;
}

int phi_cap_list(int phi, uint64_t *handles, uint32_t count, uint32_t *total)
{
	struct phi_cap_list arg = {
		.size = sizeof(arg),
		.handles = (uintptr_t)handles,
		.count = count,
	};
	int ret = phi_ioctl(phi, PHI_IOC_CAP_LIST, &arg);

	if (ret)
		return ret;
	if (total)
		*total = arg.total;
	return (int)arg.count;
}

int phi_cap_rekey(int phi, uint32_t *key_id)
{
	struct phi_cap_rekey arg = { .size = sizeof(arg) };
	int ret = phi_ioctl(phi, PHI_IOC_CAP_REKEY, &arg);

	if (!ret && key_id)
		*key_id = arg.key_id;
	return ret;
}

int phi_cap_mint_until(int phi, uint64_t endpoint, uint32_t type,
		       uint32_t rights, uint64_t badge, uint64_t expires_ns,
		       uint64_t *out)
{
	struct phi_cap_mint arg = {
		.size = sizeof(arg),
		.endpoint = endpoint,
		.type = type,
		.rights = rights,
		.badge = badge,
		.expires_ns = expires_ns,
	};
	int ret = phi_ioctl(phi, PHI_IOC_CAP_MINT, &arg);

	if (!ret)
		*out = arg.out;
	return ret;
}

int phi_cap_mint(int phi, uint64_t endpoint, uint32_t type, uint32_t rights,
		 uint64_t badge, uint64_t *out)
{
	return phi_cap_mint_until(phi, endpoint, type, rights, badge, 0, out);
}

int phi_cap_watch(int phi, uint64_t cap, uint64_t notify, uint64_t revoked,
		  uint64_t expired, uint64_t gone)
{
	struct phi_cap_watch arg = {
		.size = sizeof(arg),
		.cap = cap,
		.notify = notify,
		.revoked = revoked,
		.expired = expired,
		.gone = gone,
	};

	return phi_ioctl(phi, PHI_IOC_CAP_WATCH, &arg);
}

int phi_cap_invoke(int phi, uint64_t cap, uint32_t op, const void *in,
		   size_t in_len, void *out, size_t *out_len)
{
	size_t room = out_len ? *out_len : 0;
	struct phi_cap_invoke arg = {
		.size = sizeof(arg),
		.cap = cap,
		.op = op,
		.in = (uintptr_t)in,
		.out = (uintptr_t)out,
	};
	int ret;

	if (in_len > UINT32_MAX || room > UINT32_MAX)
		return -EINVAL;
	arg.in_len = (uint32_t)in_len;
	arg.out_len = (uint32_t)room;
	ret = phi_ioctl(phi, PHI_IOC_CAP_INVOKE, &arg);
	if (!ret && out_len)
		*out_len = arg.out_len;
	return ret;
}

static int give_to(int phi, struct phi_cap_grant *arg,
		   const struct phi_xfer *give, const void *data, size_t len)
{
	if (len > PHI_MSG_MAX)
		return -EINVAL;
	arg->size = sizeof(*arg);
	arg->give = *give;
	arg->data = (uintptr_t)data;
	arg->len = (uint32_t)len;
	return phi_ioctl(phi, PHI_IOC_CAP_GRANT, arg);
}

int phi_cap_grant(int phi, int pidfd, const struct phi_xfer *give,
		  const void *data, size_t len)
{
	struct phi_cap_grant arg = { .pidfd = pidfd };

	return give_to(phi, &arg, give, data, len);
}

int phi_cap_grant_agent(int phi, uint64_t agent, const struct phi_xfer *give,
			const void *data, size_t len)
{
	struct phi_cap_grant arg = { .agent = agent, .pidfd = -1 };

	/* Without it the call would take the pidfd. */
	if (!agent)
		return -EBADF;
	return give_to(phi, &arg, give, data, len);
}

int phi_cspace_inbox(int phi, uint64_t endpoint, unsigned int flags)
{
	struct phi_cspace_inbox arg = {
		.size = sizeof(arg),
		.flags = flags,
		.endpoint = endpoint,
	};

	return phi_ioctl(phi, PHI_IOC_CSPACE_INBOX, &arg);
}

int phi_cspace_share(int phi, bool shared)
{
	struct phi_cspace_share arg = { .size = sizeof(arg), .shared = shared };

	return phi_ioctl(phi, PHI_IOC_CSPACE_SHARE, &arg);
}
