// SPDX-License-Identifier: GPL-2.0-only

#include <crypto/blake2s.h>
#include <crypto/hash.h>
#include <crypto/sha2.h>
#include <crypto/utils.h>
#include <linux/capability.h>
#include <linux/cleanup.h>
#include <linux/random.h>
#include <linux/rhashtable.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "decision.h"
#include "dispatch.h"
#include "main.h"
#include "seal.h"

#define PHI_SEAL_BODY offsetof(struct phi_token, mac)
#define PHI_SEAL_DOMAIN_MAX 24

static_assert(sizeof(struct phi_token) == PHI_TOKEN_LEN);
static_assert(sizeof(struct phi_aios_token) == PHI_AIOS_TOKEN_LEN);
static_assert(offsetof(struct phi_aios_token, mac) == PHI_SEAL_BODY);
static_assert(offsetof(struct phi_aios_token, audience) ==
	      offsetof(struct phi_token, audience));

/* Encodings of sealed tokens. */
#define PHI_SEAL_FORMS 2

/**
 * struct phi_seal_form - an encoding of tokens
 * @domain: Keeps these MACs apart from any other use of the same key.
 * @mac_len: Bytes of the MAC, which follows the body.
 */
struct phi_seal_form {
	char domain[PHI_SEAL_DOMAIN_MAX];
	u32 mac_len;
};

/* The first is struct phi_token, by BLAKE2s; the other AIOS, by HMAC-SHA512. */
static const struct phi_seal_form phi_seal_forms[PHI_SEAL_FORMS] = {
	{ "phi capability token v1", BLAKE2S_HASH_SIZE },
	{ "phi AIOS token v1", SHA512_DIGEST_SIZE },
};

/**
 * union phi_sealed_token - a token in any encoding
 * @phi: The one of struct phi_token; its body is that of all.
 * @aios: That of AIOS.
 */
union phi_sealed_token {
	struct phi_token phi;
	struct phi_aios_token aios;
};

/**
 * struct phi_seal_key - one generation of the keys
 * @hash: Of a key and the domain of the first encoding, to go on from.
 * @tfm: For the other one, with a key of its own set; NULL when there is none.
 * @id: Number of the key in tokens; never 0.
 */
struct phi_seal_key {
	struct phi_blake2s hash;
	struct crypto_shash *tfm;
	u16 id;
};

static DECLARE_RWSEM(phi_seal_lock); /* the keys */
static struct phi_seal_key phi_seal_now;
static struct phi_seal_key phi_seal_before;
static u16 phi_seal_ids; /* the last one given to a key */

/*
 * Sealed nodes by id, without references. Changed under the lock of the cspace
 * whose slot has the node, read under RCU.
 */
static struct rhashtable phi_sealed;

/*
 * A reader may still see a node that has left the table, and that gets another
 * id in another slot; it asks phi_seal_stale() too.
 */
static int phi_seal_differs(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct phi_cap *cap = obj;
	const u64 *id = arg->key;

	return READ_ONCE(cap->id) != *id;
}

static const struct rhashtable_params phi_sealed_params = {
	.obj_cmpfn = phi_seal_differs,
	.key_len = sizeof_field(struct phi_cap, id),
	.key_offset = offsetof(struct phi_cap, id),
	.head_offset = offsetof(struct phi_cap, token),
	.automatic_shrinking = true,
};

static struct crypto_shash *phi_seal_tfm_new(void)
{
	u8 secret[SHA512_DIGEST_SIZE];
	struct crypto_shash *tfm;
	int ret;

	tfm = crypto_alloc_shash("hmac(sha512)", 0, 0);
	if (IS_ERR(tfm))
		return tfm;
	get_random_bytes(secret, sizeof(secret));
	ret = crypto_shash_setkey(tfm, secret, sizeof(secret));
	memzero_explicit(secret, sizeof(secret));
	if (ret) {
		crypto_free_shash(tfm);
		return ERR_PTR(ret);
	}
	return tfm;
}

/* Use a new key, of which @tfm is one half. */
static void phi_seal_key_set(struct phi_seal_key *key, struct crypto_shash *tfm,
			     u16 id)
{
	const char *domain = phi_seal_forms[0].domain;
	u8 secret[BLAKE2S_KEY_SIZE];

	get_random_bytes(secret, sizeof(secret));
	blake2s_init_key(&key->hash, BLAKE2S_HASH_SIZE, secret, sizeof(secret));
	memzero_explicit(secret, sizeof(secret));
	/* Takes the block of the key in, so that no token has to. */
	blake2s_update(&key->hash, (const u8 *)domain, strlen(domain) + 1);
	key->tfm = tfm;
	key->id = id;
}

/* The encoding that the flags of a call name. */
static u32 phi_seal_form_of(u32 flags)
{
	return flags & PHI_SEAL_AIOS ? 1 : 0;
}

static size_t phi_seal_len(u32 form)
{
	return PHI_SEAL_BODY + phi_seal_forms[form].mac_len;
}

/* HMAC-SHA512 of the domain and the body. */
static int phi_seal_mac_aios(const struct phi_seal_key *key,
			     const union phi_sealed_token *token, u8 *mac)
{
	const char *domain = phi_seal_forms[1].domain;
	size_t len = strlen(domain) + 1;
	u8 text[PHI_SEAL_DOMAIN_MAX + PHI_SEAL_BODY];

	memcpy(text, domain, len);
	memcpy(text + len, token, PHI_SEAL_BODY);
	return crypto_shash_tfm_digest(key->tfm, text, len + PHI_SEAL_BODY,
				       mac);
}

static int phi_seal_mac(const struct phi_seal_key *key, u32 form,
			const union phi_sealed_token *token,
			u8 mac[SHA512_DIGEST_SIZE])
{
	struct phi_blake2s hash;

	if (form)
		return phi_seal_mac_aios(key, token, mac);
	hash = key->hash;
	blake2s_update(&hash, (const u8 *)token, PHI_SEAL_BODY);
	/* It leaves nothing in @hash. */
	blake2s_final(&hash, mac);
	return 0;
}

/**
 * phi_seal_forget() - take a node out of the table of sealed nodes
 * @cap: The node, sealed, about to leave its slot.
 *
 * Context: Under the lock of the cspace. Readers under RCU may see the node
 * until it is freed.
 */
void phi_seal_forget(struct phi_cap *cap)
{
	cap->sealed = false;
	rhashtable_remove_fast(&phi_sealed, &cap->token, phi_sealed_params);
}

/*
 * Let tokens name what is in a slot. Return: 0, -EBADF when it has left that,
 * or -ENOMEM.
 */
static int phi_seal_remember(struct phi_cspace *cs, u64 handle,
			     struct phi_cap *cap, u64 *id)
{
	int ret = 0;

	guard(spinlock)(&cs->lock);
	if (!phi_cspace_holds(cs, handle, cap))
		return -EBADF;
	*id = phi_cap_id(cap);
	if (!cap->sealed)
		ret = rhashtable_insert_fast(&phi_sealed, &cap->token,
					     phi_sealed_params);
	if (ret)
		return -ENOMEM;
	cap->sealed = true;
	return 0;
}

/* A uid plus 1 of the caller's namespace, 0 = any, as one of the host. */
static int phi_seal_audience(struct phi_cspace *cs, u32 wanted, u32 *audience)
{
	kuid_t uid;

	*audience = 0;
	if (!wanted)
		return 0;
	uid = make_kuid(cs->cred->user_ns, wanted - 1);
	if (!uid_valid(uid))
		return -EINVAL;
	*audience = __kuid_val(uid) + 1;
	return 0;
}

static int phi_seal_sign(union phi_sealed_token *token, u32 form)
{
	u8 mac[SHA512_DIGEST_SIZE];
	int ret;

	guard(rwsem_read)(&phi_seal_lock);
	token->phi.key_id = cpu_to_le16(phi_seal_now.id);
	ret = phi_seal_mac(&phi_seal_now, form, token, mac);
	if (!ret)
		memcpy((u8 *)token + PHI_SEAL_BODY, mac,
		       phi_seal_forms[form].mac_len);
	return ret;
}

/**
 * phi_cap_seal() - PHI_IOC_CAP_SEAL
 * @cs: The caller's cspace.
 * @arg: struct phi_cap_seal.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_cap_seal(struct phi_cspace *cs, void *arg)
{
	struct phi_cap_seal *cmd = arg;
	u32 form = phi_seal_form_of(cmd->flags);
	union phi_sealed_token token = {};
	u32 audience;
	u64 id;
	int ret;

	if (cmd->flags & ~PHI_SEAL_AIOS)
		return -EOPNOTSUPP;
	ret = phi_seal_audience(cs, cmd->audience, &audience);
	if (ret)
		return ret;

	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->cap, PHI_TYPES_ANY & ~PHI_TYPES(REPLY),
		PHI_RIGHT_GRANT);
	if (IS_ERR(cap)) {
		phi_refuse_more(cmd->rights);
		return PTR_ERR(cap);
	}
	if (cmd->rights & ~cap->rights)
		return phi_refuse_right(cap, cmd->rights | PHI_RIGHT_GRANT);
	ret = phi_seal_remember(cs, cmd->cap, cap, &id);
	if (ret)
		return ret;

	token.phi.id = cpu_to_le64(id);
	token.phi.version = cpu_to_le32(atomic_read(&cap->version));
	token.phi.type = cap->type;
	token.phi.rights = cmd->rights;
	token.phi.expires_ns =
		cpu_to_le64(min_not_zero(cmd->expires_ns, cap->expires_ns));
	token.phi.owner_pid = cpu_to_le32(task_tgid_vnr(current));
	token.phi.audience = cpu_to_le32(audience);
	ret = phi_seal_sign(&token, form);
	if (ret)
		return ret;
	if (copy_to_user(u64_to_user_ptr(cmd->token), &token,
			 phi_seal_len(form)))
		return -EFAULT;
	return 0;
}

static int phi_seal_verify(const union phi_sealed_token *token, u32 form)
{
	u16 id = le16_to_cpu(token->phi.key_id);
	const struct phi_seal_key *key;
	u8 mac[SHA512_DIGEST_SIZE];
	int ret;

	guard(rwsem_read)(&phi_seal_lock);
	if (id == phi_seal_now.id)
		key = &phi_seal_now;
	else if (id == phi_seal_before.id && phi_seal_before.tfm)
		key = &phi_seal_before;
	else
		return -EKEYREJECTED;
	ret = phi_seal_mac(key, form, token, mac);
	if (!ret && crypto_memneq(mac, (const u8 *)token + PHI_SEAL_BODY,
				  phi_seal_forms[form].mac_len))
		ret = -EKEYREJECTED;
	memzero_explicit(mac, sizeof(mac));
	return ret;
}

/* Return: 0, or why a genuine token does not work on a node. */
static int phi_seal_stale(const struct phi_token *token,
			  const struct phi_cap *cap)
{
	u64 expires_ns = le64_to_cpu(token->expires_ns);
	int ret = phi_cap_live(cap);

	if (!READ_ONCE(cap->held) ||
	    READ_ONCE(cap->id) != le64_to_cpu(token->id) ||
	    atomic_read(&cap->version) != le32_to_cpu(token->version))
		return -EKEYREVOKED;
	if (!ret && expires_ns && ktime_get_boottime_ns() >= expires_ns)
		return -EKEYEXPIRED;
	return ret;
}

/* The live node that a genuine token names, pinned, or ERR_PTR(). */
static struct phi_cap *phi_seal_find(const struct phi_token *token)
{
	u64 id = le64_to_cpu(token->id);
	struct phi_cap *cap;
	int ret;

	rcu_read_lock();
	cap = rhashtable_lookup(&phi_sealed, &id, phi_sealed_params);
	ret = cap ? phi_seal_stale(token, cap) : -EKEYREVOKED;
	if (!ret && !phi_cap_tryget(cap))
		ret = -EKEYREVOKED;
	rcu_read_unlock();
	return ret ? ERR_PTR(ret) : cap;
}

/* Note that what a genuine token names is dead. */
static int phi_unseal_refuse(const struct phi_token *token, int error)
{
	return phi_refuse(error, &(struct phi_refusal){
					 .where = error == -EKEYEXPIRED ?
							  PHI_DECIDED_EXPIRED :
							  PHI_DECIDED_REVOKED,
					 .types = BIT(token->type),
					 .needs = token->rights,
				 });
}

/**
 * phi_cap_unseal() - PHI_IOC_CAP_UNSEAL
 * @cs: The caller's cspace.
 * @arg: struct phi_cap_unseal.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_cap_unseal(struct phi_cspace *cs, void *arg)
{
	struct phi_cap_unseal *cmd = arg;
	u32 form = phi_seal_form_of(cmd->flags);
	union phi_sealed_token sealed;
	const struct phi_token *token = &sealed.phi;
	u32 audience;
	int ret;

	if (cmd->flags & ~PHI_SEAL_AIOS)
		return -EOPNOTSUPP;
	if (copy_from_user(&sealed, u64_to_user_ptr(cmd->token),
			   phi_seal_len(form)))
		return -EFAULT;
	ret = phi_seal_verify(&sealed, form);
	if (ret)
		return ret;
	audience = le32_to_cpu(token->audience);
	if (audience && audience - 1 != __kuid_val(phi_cspace_uid(cs)))
		return -EKEYREJECTED;

	struct phi_cap *parent __free(phi_cap_put) = phi_seal_find(token);
	if (IS_ERR(parent))
		return phi_unseal_refuse(token, PTR_ERR(parent));
	struct phi_cap *cap __free(phi_cap_release) =
		phi_cap_child(parent, parent->obj, token->rights, parent->badge,
			      le64_to_cpu(token->expires_ns), cs->user);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	/* A revoke or a move since it was found must stop this one too. */
	ret = phi_seal_stale(token, parent);
	if (!ret && cap->parent_version != le32_to_cpu(token->version))
		ret = -EKEYREVOKED;
	if (ret)
		return phi_unseal_refuse(token, ret);
	return phi_cspace_give(cs, no_free_ptr(cap), &cmd->out);
}

/**
 * phi_cap_rekey() - PHI_IOC_CAP_REKEY
 * @cs: The caller's cspace.
 * @arg: struct phi_cap_rekey.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_cap_rekey(struct phi_cspace *cs, void *arg)
{
	struct phi_cap_rekey *cmd = arg;
	struct crypto_shash *tfm;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad)
		return -EINVAL;
	if (!phi_cspace_capable(cs, CAP_SYS_ADMIN))
		return phi_refuse_as(PHI_DECIDED_PRIVILEGE, CAP_SYS_ADMIN);
	tfm = phi_seal_tfm_new();
	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	phi_frame_of(arg)->tfm = tfm;

	down_write(&phi_seal_lock);
	if (!++phi_seal_ids)
		phi_seal_ids = 1;
	cmd->key_id = phi_seal_ids;
	up_write(&phi_seal_lock);
	return 0;
}

/**
 * phi_cap_rekey_settle() - use the new key, once its id is known
 * @cs: The caller's cspace.
 * @arg: struct phi_cap_rekey.
 * @told: The caller knows the id.
 *
 * A key that nobody can name would make a retry kill every token.
 *
 * Context: Process context. May sleep.
 */
void phi_cap_rekey_settle(struct phi_cspace *cs, void *arg, bool told)
{
	struct phi_cap_rekey *cmd = arg;
	struct crypto_shash *unused = phi_frame_of(arg)->tfm;

	if (told) {
		down_write(&phi_seal_lock);
		swap(unused, phi_seal_before.tfm);
		swap(phi_seal_before, phi_seal_now);
		phi_seal_key_set(&phi_seal_now, phi_seal_now.tfm, cmd->key_id);
		up_write(&phi_seal_lock);
	}
	crypto_free_shash(unused);
}

/**
 * phi_seal_init() - load the sealing of tokens
 *
 * Context: Module init.
 * Return: 0 or a negative errno.
 */
int __init phi_seal_init(void)
{
	struct crypto_shash *tfm = phi_seal_tfm_new();
	int ret;

	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	ret = rhashtable_init(&phi_sealed, &phi_sealed_params);
	if (ret) {
		crypto_free_shash(tfm);
		return ret;
	}
	phi_seal_key_set(&phi_seal_now, tfm, 1);
	phi_seal_ids = 1;
	return 0;
}

/**
 * phi_seal_exit() - unload the sealing of tokens
 *
 * Context: Module exit; every node is gone.
 */
void phi_seal_exit(void)
{
	WARN_ON(atomic_read(&phi_sealed.nelems));
	rhashtable_destroy(&phi_sealed);
	crypto_free_shash(phi_seal_now.tfm);
	crypto_free_shash(phi_seal_before.tfm);
	memzero_explicit(&phi_seal_now, sizeof(phi_seal_now));
	memzero_explicit(&phi_seal_before, sizeof(phi_seal_before));
}
