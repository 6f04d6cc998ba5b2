// SPDX-License-Identifier: LGPL-2.1-or-later
/* A client's session with the vector-database filesystem: see phi/vdfs.h. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vdfs_impl.h"

/* Staging region to begin with: grown to what calls need. */
#define STAGE_MIN (256U << 10)

/* No errno is above this. */
#define ERRNO_MAX 4095

static void drop_caps(int phi, const struct phi_msg_in *in)
{
	for (uint32_t i = 0; i < in->ncaps; i++)
		phi_cap_drop(phi, in->caps[i].cap);
}

static_assert(sizeof(struct phi_vdfs_request) <= PHI_MSG_MAX &&
		      sizeof(struct phi_vdfs_answer) <= PHI_MSG_MAX,
	      "a request and its answer are one message each");

/* One call to @endpoint, with the capability @give; @wants one back. */
static int call(struct phi_vdfs *v, uint64_t endpoint,
		struct phi_vdfs_request *req, const struct phi_xfer *give,
		uint64_t deadline_ns, struct phi_vdfs_answer *answer,
		uint64_t *cap)
{
	struct phi_msg msg = { .data = req, .len = sizeof(*req) };
	struct phi_msg_in in;
	int ret;

	if (v->over)
		return -EPIPE;
	req->tag = ++v->tag;
	if (give) {
		msg.ncaps = 1;
		msg.caps[0] = *give;
	}
	ret = phi_call(v->phi, endpoint, &msg, &in, 0, deadline_ns);
	if (ret == -EINTR || ret == -ETIMEDOUT)
		v->over = true;
	/* The daemon takes the session back when it ends it. */
	if (ret == -EKEYREVOKED)
		return -EPIPE;
	if (ret)
		return ret;
	if (in.len != sizeof(*answer))
		goto bad;
	memcpy(answer, in.data, sizeof(*answer));
	if (answer->tag != req->tag || answer->status > 0 ||
	    answer->status < -ERRNO_MAX || in.ncaps != (cap && !answer->status))
		goto bad;
	if (in.ncaps)
		*cap = in.caps[0].cap;
	return answer->status;
bad:
	drop_caps(v->phi, &in);
	return -EPROTO;
}

static void stage_free(struct phi_vdfs *v)
{
	if (v->mem)
		phi_region_unmap(v->mem, v->len);
	if (v->cap)
		phi_cap_drop(v->phi, v->cap);
	v->mem = NULL;
	v->cap = 0;
	v->len = 0;
}

/* Have a staging region of @bytes at least. */
static int stage_need(struct phi_vdfs *v, size_t bytes, uint64_t deadline_ns)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_STAGE };
	struct phi_xfer give = { .rights = PHI_RIGHT_READ | PHI_RIGHT_WRITE |
					   PHI_RIGHT_MAP };
	struct phi_vdfs_answer answer;
	size_t len = STAGE_MIN;
	uint64_t cap;
	void *mem;
	int ret;

	if (bytes <= v->len)
		return 0;
	if (bytes > PHI_VDFS_STAGE_MAX)
		return -EMSGSIZE;
	while (len < bytes)
		len *= 2;
	ret = phi_region_create(v->phi, len, 0, &cap);
	if (ret)
		return ret;
	give.cap = cap;
	ret = phi_region_map(v->phi, cap, PROT_READ | PROT_WRITE, &mem, NULL);
	if (!ret) {
		ret = call(v, v->session, &req, &give, deadline_ns, &answer,
			   NULL);
		if (ret)
			phi_region_unmap(mem, len);
	}
	if (ret) {
		phi_cap_drop(v->phi, cap);
		return ret;
	}
	stage_free(v);
	v->cap = cap;
	v->mem = mem;
	v->len = len;
	return 0;
}

static int attach(struct phi_vdfs *v, uint64_t cap, unsigned int flags,
		  uint64_t deadline_ns)
{
	struct phi_vdfs_request req = {
		.op = PHI_VDFS_ATTACH,
		.flags = flags & PHI_VDFS_OPEN_READ ? PHI_VDFS_READ_ONLY : 0,
		.value = PHI_VDFS_VERSION,
	};
	struct phi_xfer life = { .cap = v->life, .rights = PHI_RIGHT_SEND };
	struct phi_vdfs_answer answer;
	int ret;

	ret = call(v, cap, &req, &life, deadline_ns, &answer, &v->session);
	if (ret)
		return ret;
	v->info = answer.attached;
	return v->info.version == PHI_VDFS_VERSION ? 0 : -EPROTO;
}

int phi_vdfs_open(int phi, uint64_t cap, unsigned int flags,
		  uint64_t deadline_ns, struct phi_vdfs **out)
{
	struct phi_vdfs *v;
	int ret;

	if (flags & ~PHI_VDFS_OPEN_READ)
		return -EOPNOTSUPP;
	v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->phi = phi;
	pthread_mutex_init(&v->lock, NULL);
	ret = phi_endpoint_create(phi, &v->life);
	if (!ret)
		ret = attach(v, cap, flags, deadline_ns);
	if (!ret)
		ret = stage_need(v, STAGE_MIN, deadline_ns);
	if (ret) {
		phi_vdfs_close(v);
		return ret;
	}
	*out = v;
	return 0;
}

void phi_vdfs_close(struct phi_vdfs *v)
{
	if (!v)
		return;
	stage_free(v);
	if (v->session)
		phi_cap_drop(v->phi, v->session);
	/* Last, for this is what the daemon sees. */
	if (v->life)
		phi_cap_drop(v->phi, v->life);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

const struct phi_vdfs_attached *phi_vdfs_info(const struct phi_vdfs *v)
{
	return &v->info;
}

static size_t aligned(size_t len)
{
	return (len + 7) & ~(size_t)7;
}

/* Copy to the next free place of the staging region. */
static void lay(struct phi_vdfs *v, const void *from, size_t len, size_t *at,
		struct phi_vdfs_span *span)
{
	if (!len)
		return;
	if (from)
		memcpy(v->mem + *at, from, len);
	span->at = (uint32_t)*at;
	span->len = (uint32_t)len;
	*at += aligned(len);
}

int vdfs_ask(struct phi_vdfs *v, struct vdfs_ask *a)
{
	size_t name = a->name ? strlen(a->name) : 0;
	size_t more = a->more ? strlen(a->more) : 0;
	size_t at = 0;
	int ret;

	if (name > PHI_VDFS_TEXT_MAX || more > PHI_VDFS_TEXT_MAX ||
	    a->data_len > PHI_VDFS_SPAN_MAX || a->room > PHI_VDFS_SPAN_MAX)
		return -EMSGSIZE;
	ret = stage_need(v,
			 aligned(name) + aligned(more) + aligned(a->data_len) +
				 aligned(a->room),
			 0);
	if (ret)
		return ret;
	lay(v, a->name, name, &at, &a->req.name);
	lay(v, a->more, more, &at, &a->req.more);
	if (a->fill)
		a->fill((void *)a->arg, v->mem + at);
	lay(v, a->data, a->data_len, &at, &a->req.data);
	lay(v, NULL, a->room, &at, &a->req.out);
	a->out = v->mem + a->req.out.at;
	a->cap = 0;
	ret = call(v, v->session, &a->req, NULL, 0, &a->answer,
		   a->req.op == PHI_VDFS_MAP ? &a->cap : NULL);
	if (ret == -EPROTO || a->answer.len <= a->room)
		return ret;
	if (a->cap)
		phi_cap_drop(v->phi, a->cap);
	return -EPROTO;
}

int vdfs_ask_blob(struct phi_vdfs *v, struct vdfs_ask *a, const char *blob)
{
	if (strncmp(blob, "sha256:", 7)) {
		a->name = blob;
	} else {
		if (phi_vdfs_hash_parse(blob, &a->req.hash))
			return -EINVAL;
		a->req.flags |= PHI_VDFS_BY_HASH;
	}
	return vdfs_ask(v, a);
}

int vdfs_do(struct phi_vdfs *v, struct vdfs_ask *a)
{
	int ret;

	pthread_mutex_lock(&v->lock);
	ret = vdfs_ask(v, a);
	pthread_mutex_unlock(&v->lock);
	return ret;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int phi_vdfs_hash_parse(const char *text, struct phi_vdfs_hash *out)
{
	struct phi_vdfs_hash hash;
	int i, high, low;

	if (!strncmp(text, "sha256:", 7))
		text += 7;
	if (strlen(text) != PHI_VDFS_HASH_TEXT - 1)
		return -EINVAL;
	for (i = 0; i < 32; i++) {
		high = digit(text[2 * i]);
		low = digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return -EINVAL;
		hash.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*out = hash;
	return 0;
}

void phi_vdfs_hash_print(const struct phi_vdfs_hash *hash, char *text)
{
	static const char digits[] = "0123456789abcdef";
	int i;

	for (i = 0; i < 32; i++) {
		*text++ = digits[hash->bytes[i] >> 4];
		*text++ = digits[hash->bytes[i] & 15];
	}
	*text = '\0';
}
