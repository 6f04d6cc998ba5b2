// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzes clients as a hostile daemon sees them: the first byte says what is
 * asked for, the rest is the answers, and what the daemon writes to the
 * staging region. What a client passes on lies within what it has.
 */
#include <errno.h>
#include <fcntl.h>
#include <phi/vdfs.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake/phi.h"
#include "lib/vdfs_impl.h"

#define ROOM 300
/* A file of two pieces, of which the second one is short. */
#define FILE_BYTES ((1 << 20) + 5)

/**
 * struct reply - an answer, as the input has it
 * @status: Of the answer, made 0 or negative.
 * @how: Bits: see below.
 * @len: Of results.
 * @bytes: A length.
 * @id: What was made.
 * @put: How many bytes of the input follow, for the staging region.
 * @pad: Unused.
 */
struct reply {
	int8_t status;
	uint8_t how;
	uint16_t len;
	uint16_t bytes;
	uint16_t put;
	uint8_t id;
	uint8_t pad;
};

#define MORE 0x1
#define CAP 0x2 /* a capability comes with it, ... */
#define MEMORY 0x4 /* ... of a region */
#define TAG 0x8 /* it answers another request */
#define SHORT 0x10
#define HUGE 0x20 /* bytes is a number that no length can be */
#define RUNNING 0x40
#define RAW 0x80 /* all of the answer follows instead */

static const uint8_t *input;
static size_t left;
static struct fake_region *stage;
/* The session whose file is being put, or NULL. */
static struct phi_vdfs *putting;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take(void *to, size_t len)
{
	if (left < len)
		return false;
	memcpy(to, input, len);
	input += len;
	left -= len;
	return true;
}

static void fill(const struct phi_vdfs_request *req, const struct reply *r,
		 struct phi_vdfs_answer *a)
{
	size_t at = req->out.at, n = r->put;

	*a = (struct phi_vdfs_answer){ .len = r->len,
				       .id = r->id,
				       .bytes = r->bytes,
				       .done = r->bytes,
				       .more = r->how & MORE };
	a->status = r->status < 0 ? r->status : -r->status;
	if (r->how & RUNNING)
		a->status = -EINPROGRESS;
	if (r->how & HUGE)
		a->bytes = ~(uint64_t)r->bytes;
	if (r->how & RAW)
		take(a, sizeof(*a));
	a->tag = req->tag + !!(r->how & TAG);
	if (req->op == PHI_VDFS_ATTACH)
		a->attached.version = PHI_VDFS_VERSION;
	if (n > left)
		n = left;
	if (stage && at <= stage->len && n <= stage->len - at)
		take(stage->addr + at, n);
}

static int on_call(const struct phi_msg *msg, struct phi_msg_in *in)
{
	const struct phi_vdfs_request *req = msg->data;
	struct phi_vdfs_answer a;
	struct fake_region *region;
	struct reply r;

	if (msg->len != sizeof(*req))
		abort();
	memset(in, 0, sizeof(*in));
	memset(&r, 0, sizeof(r));
	/* Of a session there has to be one. */
	if (req->op == PHI_VDFS_ATTACH)
		r.how = CAP;
	else if (req->op == PHI_VDFS_STAGE)
		stage = fake_region_of(msg->caps[0].cap);
	else if (!take(&r, sizeof(r)))
		return -EPIPE;
	fill(req, &r, &a);
	in->len = r.how & SHORT ? sizeof(a) - 1 : sizeof(a);
	memcpy(in->data, &a, sizeof(a));
	if (r.how & CAP) {
		region = r.how & MEMORY ? fake_region_new(4096) : NULL;
		in->ncaps = 1;
		in->caps[0].cap =
			fake_cap(region ? PHI_TYPE_MEMORY : PHI_TYPE_ENDPOINT,
				 PHI_RIGHT_READ | PHI_RIGHT_MAP, 0, region);
		fake_region_put(region);
	}
	return 0;
}

static void look(const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len--)
		fake.seen += *p++;
}

static int on_entry(void *arg, const char *name, const struct phi_vdfs_stat *st)
{
	(void)arg;
	look(name, strlen(name));
	look(st, sizeof(*st));
	return 0;
}

static int on_blob(void *arg, const struct phi_vdfs_hash *hash, uint64_t bytes)
{
	(void)arg;
	fake.seen += bytes;
	look(hash, sizeof(*hash));
	return 0;
}

static void on_line(void *arg, const char *line)
{
	(void)arg;
	look(line, strlen(line));
}

static int on_item(void *arg, const struct phi_vdfs_item *item, uint32_t query,
		   float dist)
{
	(void)arg;
	(void)dist;
	fake.seen += query;
	look(item->key, strlen(item->key));
	look(item->vector, item->dim * sizeof(float));
	if (item->metadata)
		look(item->metadata, strlen(item->metadata));
	return 0;
}

static int on_collection(void *arg, const char *name,
			 const struct phi_vdfs_params *params, uint64_t items)
{
	(void)arg;
	fake.seen += items;
	look(name, strlen(name));
	look(params, sizeof(*params));
	return 0;
}

/* What is read lies in memory of that length. */
static void read_sized(struct phi_vdfs *v, bool list)
{
	char *room = malloc(ROOM);
	ssize_t n;

	if (!room)
		abort();
	memset(room, 0, ROOM);
	if (list)
		n = phi_vdfs_attr_list(v, "f", room, ROOM);
	else
		n = phi_vdfs_attr_get(v, "f", "user.a", room, ROOM);
	if (n < -4095 || n > ROOM || (n > 0 && list && room[n - 1]))
		abort();
	if (n > 0)
		look(room, n);
	free(room);
}

static void read_blob(struct phi_vdfs *v)
{
	struct phi_vdfs_blob blob = {};
	char *room = malloc(ROOM);
	ssize_t n;

	if (!room)
		abort();
	if (!phi_vdfs_blob_open(v, "f", &blob)) {
		n = phi_vdfs_blob_read(v, &blob, room, ROOM, 3);
		if (n > ROOM)
			abort();
		if (n > 0)
			look(room, n);
		phi_vdfs_blob_close(v, &blob);
	}
	free(room);
}

static void get(struct phi_vdfs *v)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		abort();
	phi_vdfs_get_fd(v, "f", fd, NULL, NULL, NULL);
	close(fd);
}

/*
 * In place of that of libc, for the library too: while a file is put, read(2)
 * never gets a part of a region, which fails with EFAULT for a file that
 * bypasses the page cache, and other threads can use the session meanwhile.
 */
ssize_t read(int fd, void *buf, size_t len)
{
	if (putting) {
		if (fake_region_at(buf))
			abort();
		if (pthread_mutex_trylock(&putting->lock))
			abort();
		pthread_mutex_unlock(&putting->lock);
	}
	return syscall(SYS_read, fd, buf, len);
}

static void put(struct phi_vdfs *v)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, FILE_BYTES))
		abort();
	putting = v;
	phi_vdfs_put_fd(v, fd, "f", 0, NULL, NULL, NULL, NULL);
	putting = NULL;
	close(fd);
}

static void map(struct phi_vdfs *v)
{
	struct phi_vdfs_map m;

	if (phi_vdfs_map(v, "f", &m))
		return;
	if (!m.bytes || m.bytes > m.len)
		abort();
	look(m.addr, m.bytes);
	phi_vdfs_unmap(v, &m);
}

static void search(struct phi_vdfs *v)
{
	static const float vector[4];
	struct phi_vdfs_search s = {
		.vectors = vector, .n = 1, .dim = 4, .k = 3
	};

	phi_vdfs_collection_search(v, 1, &s, on_item, NULL);
}

static void insert(struct phi_vdfs *v)
{
	static const float vector[4];
	struct phi_vdfs_item item = { .key = "k", .vector = vector, .dim = 4 };
	size_t failed;

	phi_vdfs_collection_insert(v, 1, &item, 1, 0, &failed);
}

static void use(struct phi_vdfs *v, uint8_t what)
{
	struct phi_vdfs_params params;
	struct phi_vdfs_fsck fsck;
	uint64_t id;

	switch (what % 15) {
	case 0:
		phi_vdfs_list(v, "d", on_entry, NULL);
		break;
	case 1:
		phi_vdfs_blobs(v, on_blob, NULL);
		break;
	case 2:
		phi_vdfs_collection_list(v, on_collection, NULL);
		break;
	case 3:
		phi_vdfs_fsck(v, 0, on_line, NULL, NULL, &fsck);
		break;
	case 4:
		phi_vdfs_collection_get(v, 1, "k", on_item, NULL);
		break;
	case 5:
		search(v);
		break;
	case 6:
		phi_vdfs_collection_walk(v, 1, 3, on_item, NULL);
		break;
	case 7:
		phi_vdfs_collection_open(v, "c", NULL, NULL, &id, &params);
		break;
	case 8:
	case 9:
		read_sized(v, what & 1);
		break;
	case 10:
		read_blob(v);
		break;
	case 11:
		get(v);
		break;
	case 12:
		map(v);
		break;
	case 13:
		insert(v);
		break;
	default:
		put(v);
		break;
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fake.call = on_call;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct phi_vdfs *v;

	if (!size)
		return 0;
	input = data + 1;
	left = size - 1;
	stage = NULL;
	if (phi_vdfs_open(-1, 1, 0, 0, &v))
		abort();
	use(v, data[0]);
	phi_vdfs_close(v);
	fake_end();
	return 0;
}
