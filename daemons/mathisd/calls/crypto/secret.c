// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x093A, 0x093B: secrets, which a program uses and never reads. Their pages
 * are locked, left out of core files, and empty in a child.
 */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto.h"

#define LOCKED_MAX (2UL << 20) /* bytes of the secrets of a session */

struct secret {
	struct md_object object;
	atomic_ulong *locked; /* by the session */
	size_t n;
	size_t room; /* whole pages */
	unsigned char *data;
};

static void init(void *state)
{
	atomic_init((atomic_ulong *)state, 0);
}

static const struct md_own_kind locked = {
	.size = sizeof(atomic_ulong),
	.init = init,
};

static void free_secret(struct md_object *object)
{
	struct secret *s = (struct secret *)object;

	OPENSSL_cleanse(s->data, s->n);
	munmap(s->data, s->room);
	atomic_fetch_sub(s->locked, s->room);
	free(s);
}

/* A secret with room for @n bytes, or NULL: reported. */
static struct secret *new_secret(struct md_call *c, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct secret *s = calloc(1, sizeof(*s));

	if (!s)
		goto none;
	s->n = n;
	s->room = (n + page) / page * page;
	s->locked = md_session_own(c->session, &locked);
	if (!s->locked)
		goto none;
	if (atomic_fetch_add(s->locked, s->room) + s->room > LOCKED_MAX) {
		atomic_fetch_sub(s->locked, s->room);
		free(s);
		md_fail(c, MATHIS_LIMIT,
			"the secrets of a session have at most %lu MiB",
			LOCKED_MAX >> 20);
		return NULL;
	}
	s->data = mmap(NULL, s->room, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->data == MAP_FAILED) {
		atomic_fetch_sub(s->locked, s->room);
		goto none;
	}
	if (mlock2(s->data, s->room, 0)) {
		atomic_fetch_sub(s->locked, s->room);
		munmap(s->data, s->room);
		free(s);
		md_fail(c, MATHIS_LIMIT, "no more memory can be locked");
		return NULL;
	}
	madvise(s->data, s->room, MADV_DONTDUMP);
	madvise(s->data, s->room, MADV_WIPEONFORK);
	md_object_init(&s->object, free_secret);
	return s;
none:
	free(s);
	md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	return NULL;
}

int crypto_return(struct md_call *c, void *data, size_t n, bool plain)
{
	struct secret *s;
	int ret = MD_FAILED;

	if (plain) {
		ret = md_return_bytes(c, data, n);
	} else {
		s = new_secret(c, n);
		if (s) {
			memcpy(s->data, data, n);
			ret = md_return_handle(c, MD_KIND_secret, &s->object);
		}
	}
	OPENSSL_cleanse(data, n);
	return ret;
}

int crypto_key_get(struct md_call *c, const struct mathis_item *item,
		   struct crypto_key *key)
{
	*key = (struct crypto_key){ 0 };
	if (item->kind == MATHIS_HANDLE) {
		struct secret *s;

		key->secret = md_handle_get(c, MD_KIND_secret, item);
		if (!key->secret)
			return MD_FAILED;
		s = (struct secret *)key->secret;
		key->data = s->data;
		key->n = s->n;
	} else {
		key->data = (const unsigned char *)item->text;
		key->n = item->n;
	}
	return MD_DONE;
}

void crypto_key_drop(struct crypto_key *key)
{
	md_object_put(key->secret);
	key->secret = NULL;
}

int crypto_key_sized(struct md_call *c, const struct mathis_item *item,
		     size_t n, struct crypto_key *key)
{
	if (crypto_key_get(c, item, key))
		return MD_FAILED;
	if (key->n == n)
		return MD_DONE;
	crypto_key_drop(key);
	return md_fail(c, MATHIS_ARG_RANGE, "the key has not %zu bytes", n);
}

int crypto_fail(struct md_call *c, int code, const char *text)
{
	ERR_clear_error();
	return md_fail(c, code, "%s", text);
}

int crypto_failed(struct md_call *c)
{
	return crypto_fail(c, MATHIS_OUT_OF_MEMORY,
			   "OpenSSL refuses, or has no memory");
}

int md_crypto_secret_import(struct md_call *c)
{
	struct secret *s = new_secret(c, c->args[0].n);

	if (!s)
		return MD_FAILED;
	memcpy(s->data, c->args[0].text, c->args[0].n);
	return md_return_handle(c, MD_KIND_secret, &s->object);
}

int md_crypto_secret_close(struct md_call *c)
{
	return md_handle_close(c, MD_KIND_secret, &c->args[0]);
}
