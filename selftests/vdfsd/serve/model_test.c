// SPDX-License-Identifier: GPL-2.0-only
/*
 * batchd runs a model that vdfsd stores: from the pages that all who map it
 * share, so that its weights are nobody's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <phi/batch.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vdfsd/daemon.h"

/* y = x * w, w of 16 MiB. */
#define IN 1024
#define OUT 4096
#define WEIGHTS ((size_t)IN * OUT * sizeof(float))

/* A protobuf message being written. */
struct proto {
	unsigned char *mem;
	size_t len;
};

static void put_varint(struct proto *p, uint64_t value)
{
	for (; value > 127; value >>= 7)
		p->mem[p->len++] = (unsigned char)(value | 128);
	p->mem[p->len++] = (unsigned char)value;
}

static void put_number(struct proto *p, unsigned int field, uint64_t value)
{
	put_varint(p, field << 3);
	put_varint(p, value);
}

static void put_bytes(struct proto *p, unsigned int field, const void *bytes,
		      size_t len)
{
	put_varint(p, field << 3 | 2);
	put_varint(p, len);
	memcpy(p->mem + p->len, bytes, len);
	p->len += len;
}

static void put_text(struct proto *p, unsigned int field, const char *text)
{
	put_bytes(p, field, text, strlen(text));
}

static void put_proto(struct proto *p, unsigned int field, struct proto *child)
{
	put_bytes(p, field, child->mem, child->len);
	child->len = 0;
}

/* A tensor of any number of rows: ValueInfoProto. */
static void put_value(struct proto *graph, unsigned int field, const char *name,
		      uint64_t columns, struct proto *t)
{
	unsigned char small[6][64];
	struct proto dim = { small[0], 0 }, shape = { small[1], 0 };
	struct proto tensor = { small[2], 0 }, type = { small[3], 0 };

	put_text(&dim, 2, "n");
	put_proto(&shape, 1, &dim);
	put_number(&dim, 1, columns);
	put_proto(&shape, 1, &dim);
	put_number(&tensor, 1, 1);
	put_proto(&tensor, 2, &shape);
	put_proto(&type, 1, &tensor);
	put_text(t, 1, name);
	put_proto(t, 2, &type);
	put_proto(graph, field, t);
}

/* Row i, column j. */
static float weight(size_t i, size_t j)
{
	return (float)((i * 31 + j) % 1000);
}

static int write_model(const char *path)
{
	struct proto model = { malloc(WEIGHTS + 4096), 0 };
	struct proto graph = { malloc(WEIGHTS + 4096), 0 };
	struct proto part = { malloc(WEIGHTS + 4096), 0 };
	float *w = malloc(WEIGHTS);
	size_t i;
	int fd, ret;

	for (i = 0; i < (size_t)IN * OUT; i++)
		w[i] = weight(i / OUT, i % OUT);
	put_text(&part, 1, "x");
	put_text(&part, 1, "w");
	put_text(&part, 2, "y");
	put_text(&part, 4, "MatMul");
	put_proto(&graph, 1, &part);
	put_text(&graph, 2, "big");
	put_number(&part, 1, IN);
	put_number(&part, 1, OUT);
	put_number(&part, 2, 1);
	put_text(&part, 8, "w");
	put_bytes(&part, 9, w, WEIGHTS);
	put_proto(&graph, 5, &part);
	put_value(&graph, 11, "x", IN, &part);
	put_value(&graph, 12, "y", OUT, &part);
	put_number(&model, 1, 8);
	put_number(&part, 2, 13);
	put_proto(&model, 8, &part);
	put_proto(&model, 7, &graph);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ret = fd >= 0 && write(fd, model.mem, model.len) == (ssize_t)model.len;
	close(fd);
	free(model.mem);
	free(graph.mem);
	free(part.mem);
	free(w);
	return ret ? 0 : -EIO;
}

FIXTURE(model)
{
	struct daemon d;
	struct phi_vdfs *v;
	int phi;
	pid_t batchd[3];
};

FIXTURE_SETUP(model)
{
	char path[128], command[256];
	int fd;

	memset(self->batchd, 0, sizeof(self->batchd));
	ASSERT_EQ(0, daemon_new(&self->d));
	ASSERT_EQ(0, daemon_start(&self->d, ""));
	ASSERT_EQ(0, session_new(&self->d, "vdfs", &self->phi, &self->v));
	snprintf(path, sizeof(path), "%s/big.onnx", self->d.dir);
	ASSERT_EQ(0, write_model(path));
	snprintf(command, sizeof(command),
		 "batchd --convert %s/big.onnx=%s/big.ort", self->d.dir,
		 self->d.dir);
	ASSERT_EQ(0, system(command));
	snprintf(path, sizeof(path), "%s/big.ort", self->d.dir);
	fd = open(path, O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, phi_vdfs_put_fd(self->v, fd, "models/big", 0, NULL, NULL,
				     NULL, NULL));
	close(fd);
}

FIXTURE_TEARDOWN(model)
{
	int i;

	for (i = 0; i < 3; i++) {
		if (self->batchd[i]) {
			kill(self->batchd[i], SIGKILL);
			waitpid(self->batchd[i], NULL, 0);
		}
	}
	session_end(self->phi, self->v);
	daemon_free(&self->d);
}

/* Start a batchd for @model and wait until it is ready. */
static pid_t batchd_start(const struct daemon *d, const char *model)
{
	char token[128], fd[16];
	int ready[2];
	pid_t pid;
	char c;

	if (pipe(ready))
		return -errno;
	snprintf(token, sizeof(token), "%s/vdfs-read.token", d->dir);
	snprintf(fd, sizeof(fd), "%d", ready[1]);
	pid = fork();
	if (!pid) {
		execlp("batchd", "batchd", "--user", "nobody", "--units", "1",
		       "--publish", d->dir, "--vdfs", token, "--ready-fd", fd,
		       "--model", model, NULL);
		_exit(127);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		pid = -ECHILD;
	close(ready[0]);
	return pid;
}

/* Memory that is a process's own, in KiB. */
static long own_memory(pid_t pid)
{
	char path[64], line[256];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "r");
	while (f && value < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "Anonymous: %ld kB", &value);
	if (f)
		fclose(f);
	return value;
}

/* Does the model give the row of its weights that the input chooses? */
static int computes(const struct daemon *d, const char *name, size_t row)
{
	struct phi_batch_request req = {};
	struct phi_batch_answer a;
	struct phi_batch *b;
	uint64_t cap, region;
	float *x, *y;
	void *mem;
	int phi, slot, ret;
	size_t j;

	ret = session_cap(d, name, &phi, &cap);
	if (!ret)
		ret = phi_batch_open(phi, cap, 0, now() + 30 * SECOND, &b);
	if (!ret)
		ret = phi_region_create(phi, 8 * 4096, 0, &region);
	if (!ret)
		ret = phi_region_map(phi, region, PROT_READ | PROT_WRITE, &mem,
				     NULL);
	if (ret)
		return ret;
	x = mem;
	y = (float *)((char *)mem + 4096);
	x[row] = 1;
	slot = phi_batch_region(b, region, PHI_RIGHT_READ | PHI_RIGHT_WRITE, 0);
	if (slot < 0)
		return slot;
	req.input = phi_batch_info(b)->input;
	req.output = phi_batch_info(b)->output;
	req.input.shape[0] = 1;
	req.output.shape[0] = 1;
	req.input.slot = slot;
	req.output.slot = slot;
	req.output.offset = 4096;
	ret = phi_batch_infer(b, &req, &a);
	if (!ret)
		ret = a.status;
	for (j = 0; j < OUT && !ret; j++)
		ret = y[j] == weight(row, j) ? 0 : -EDOM;
	phi_batch_close(b);
	phi_close(phi);
	return ret;
}

SLOW_TEST(model, has_its_weights_in_no_process_of_its_own)
{
	long from_file, shared, second;
	struct phi_vdfs_stats st;
	char model[160];

	snprintf(model, sizeof(model), "file=%s/big.ort:1", self->d.dir);
	self->batchd[0] = batchd_start(&self->d, model);
	ASSERT_LT(0, self->batchd[0]);
	self->batchd[1] = batchd_start(&self->d, "one=vdfs:models/big:1");
	ASSERT_LT(0, self->batchd[1]);
	self->batchd[2] = batchd_start(&self->d, "two=vdfs:models/big:1");
	ASSERT_LT(0, self->batchd[2]);
	ASSERT_EQ(0, computes(&self->d, "file", 3));
	ASSERT_EQ(0, computes(&self->d, "one", 7));
	ASSERT_EQ(0, computes(&self->d, "two", 1023));

	from_file = own_memory(self->batchd[0]);
	shared = own_memory(self->batchd[1]);
	second = own_memory(self->batchd[2]);
	TH_LOG("own memory: %ld KiB from a file, %ld and %ld KiB from vdfsd",
	       from_file, shared, second);
	EXPECT_LT(shared + (long)(WEIGHTS / 1024), from_file);
	EXPECT_LT(second + (long)(WEIGHTS / 1024), from_file);
	ASSERT_EQ(0, phi_vdfs_stats(self->v, &st));
	EXPECT_EQ(1, st.mapped);
	EXPECT_LT(st.mapped_bytes, WEIGHTS + (1 << 20));

	/* They are there for as long as they are used. */
	ASSERT_EQ(0, phi_vdfs_unlink(self->v, "models/big"));
	daemon_stop(&self->d, SIGKILL);
	EXPECT_EQ(0, computes(&self->d, "one", 8));
}

SLOW_TEST(model, that_is_not_there_is_said_so)
{
	EXPECT_EQ(-ECHILD, batchd_start(&self->d, "none=vdfs:models/none"));
	daemon_stop(&self->d, SIGTERM);
	EXPECT_EQ(-ECHILD, batchd_start(&self->d, "none=vdfs:models/big"));
}

TEST_HARNESS_MAIN
