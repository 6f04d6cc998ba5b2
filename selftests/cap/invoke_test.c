// SPDX-License-Identifier: GPL-2.0-only
/* Operations on whatever a capability names. */

#include "kselftest_harness.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "file.h"
#include "infer_ioctl.h"
#include "phi_message.h"

#define TRACING "/sys/kernel/tracing"
#define EXITS TRACING "/events/phi/phi_call_exit"
#define CGROUP "/sys/fs/cgroup/phi-invoke"
#define BYTES 12288
#define SENTINEL 0x7777

FIXTURE(invoke)
{
	int phi;
	uint64_t region, bell, ep;
	struct phi_system_stats before;
};

FIXTURE_SETUP(invoke)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_region(self->phi, BYTES, 0, &self->region));
	ASSERT_EQ(0, do_notify(self->phi, &self->bell));
	ASSERT_EQ(0, do_endpoint(self->phi, &self->ep));
}

FIXTURE_TEARDOWN(invoke)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

static int invoke(int phi, uint64_t cap, uint32_t op, const void *in,
		  uint32_t in_len, void *out, uint32_t *out_len)
{
	struct phi_cap_invoke arg = {
		.cap = cap,
		.op = op,
		.in = (uintptr_t)in,
		.in_len = in_len,
		.out = (uintptr_t)out,
		.out_len = out_len ? *out_len : 0,
	};
	int ret = PHI_DO(phi, CAP_INVOKE, &arg);

	if (!ret && out_len)
		*out_len = arg.out_len;
	return ret;
}

static int read_at(int phi, uint64_t cap, uint64_t offset, void *to,
		   uint32_t len)
{
	uint32_t got = len;
	int ret = invoke(phi, cap, PHI_OP_READ, &offset, sizeof(offset), to,
			 &got);

	return ret ?: got == len ? 0 : -EIO;
}

static int write_at(int phi, uint64_t cap, uint64_t offset, const void *from,
		    uint32_t len)
{
	static char in[8 + PHI_INVOKE_MAX];

	memcpy(in, &offset, 8);
	memcpy(in + 8, from, len);
	return invoke(phi, cap, PHI_OP_WRITE, in, 8 + len, NULL, NULL);
}

static int query(int phi, uint64_t cap, void *out, uint32_t room)
{
	uint32_t len = room;
	int ret = invoke(phi, cap, PHI_OP_QUERY, NULL, 0, out, &len);

	return ret ?: len == room ? 0 : -EIO;
}

static uint8_t *map_region(int phi, uint64_t cap)
{
	struct phi_region_info info = { .cap = cap };

	if (PHI_DO(phi, REGION_INFO, &info))
		return MAP_FAILED;
	return mmap(NULL, info.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, phi,
		    info.offset);
}

TEST_F(invoke, moves_bytes_of_a_region)
{
	uint8_t *map = map_region(self->phi, self->region);
	char text[16] = "";
	uint64_t slice;

	ASSERT_NE(MAP_FAILED, map);
	/* Across the end of a page. */
	ASSERT_EQ(0, write_at(self->phi, self->region, 4090, "0123456789", 10));
	EXPECT_EQ(0, memcmp(map + 4090, "0123456789", 10));
	map[4096] = 'x';
	ASSERT_EQ(0, read_at(self->phi, self->region, 4093, text, 6));
	EXPECT_STREQ("345x78", text);
	/* A slice begins where it begins, and has nothing outside. */
	ASSERT_EQ(0, do_slice(self->phi, self->region, 4096, 4096,
			      PHI_RIGHT_READ | PHI_RIGHT_WRITE, &slice));
	memset(text, 0, sizeof(text));
	ASSERT_EQ(0, read_at(self->phi, slice, 0, text, 3));
	EXPECT_STREQ("x78", text);
	ASSERT_EQ(0, write_at(self->phi, slice, 4095, "z", 1));
	EXPECT_EQ('z', map[8191]);
	EXPECT_EQ(-EINVAL, write_at(self->phi, slice, 4095, "zz", 2));
	EXPECT_EQ(0, map[8192]);
	/* None is some, also at the end; past that is not. */
	EXPECT_EQ(0, read_at(self->phi, self->region, BYTES, text, 0));
	EXPECT_EQ(-EINVAL, read_at(self->phi, self->region, BYTES, text, 1));
	EXPECT_EQ(-EINVAL, read_at(self->phi, self->region, ~0ULL, text, 2));
	munmap(map, BYTES);
}

/* What is written to a region is not in its snapshot, nor the other way. */
TEST_F(invoke, leaves_snapshots_alone)
{
	char text[8] = "";
	uint64_t snap;

	ASSERT_EQ(0, write_at(self->phi, self->region, 4094, "abcd", 4));
	ASSERT_EQ(0, do_snapshot(self->phi, self->region, &snap));
	ASSERT_EQ(0, write_at(self->phi, self->region, 4095, "BC", 2));
	ASSERT_EQ(0, write_at(self->phi, snap, 4097, "D", 1));
	ASSERT_EQ(0, read_at(self->phi, snap, 4094, text, 4));
	EXPECT_STREQ("abcD", text);
	ASSERT_EQ(0, read_at(self->phi, self->region, 4094, text, 4));
	EXPECT_STREQ("aBCd", text);
	ASSERT_EQ(0, do_drop(self->phi, snap));
}

/* As many as can be, and no more. */
TEST_F(invoke, moves_a_page_at_most)
{
	static char bytes[PHI_INVOKE_MAX + 1];
	struct phi_cap_invoke arg = {
		.cap = self->region,
		.op = PHI_OP_WRITE,
		.in = (uintptr_t)bytes,
		.in_len = 8 + PHI_INVOKE_MAX + 1,
	};

	EXPECT_EQ(0,
		  read_at(self->phi, self->region, 8, bytes, PHI_INVOKE_MAX));
	EXPECT_EQ(0,
		  write_at(self->phi, self->region, 8, bytes, PHI_INVOKE_MAX));
	EXPECT_EQ(-EINVAL, read_at(self->phi, self->region, 0, bytes,
				   PHI_INVOKE_MAX + 1));
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, CAP_INVOKE, &arg));
}

TEST_F(invoke, needs_the_rights)
{
	uint64_t offset = 0, bits = 1, weak, out;
	uint32_t len = 8;

	ASSERT_EQ(0, do_derive(self->phi, self->region, PHI_RIGHT_READ, &weak));
	EXPECT_EQ(0, read_at(self->phi, weak, 0, &out, 8));
	EXPECT_EQ(-EPERM, write_at(self->phi, weak, 0, "x", 1));
	ASSERT_EQ(0,
		  do_derive(self->phi, self->region, PHI_RIGHT_WRITE, &weak));
	EXPECT_EQ(-EPERM, read_at(self->phi, weak, 0, &out, 8));
	ASSERT_EQ(0, do_derive(self->phi, self->bell, PHI_RIGHT_READ, &weak));
	EXPECT_EQ(-EPERM,
		  invoke(self->phi, weak, PHI_OP_SIGNAL, &bits, 8, NULL, NULL));
	ASSERT_EQ(0, do_derive(self->phi, self->bell, PHI_RIGHT_WRITE, &weak));
	EXPECT_EQ(-EPERM,
		  invoke(self->phi, weak, PHI_OP_POLL, &bits, 8, &out, &len));
	ASSERT_EQ(0, do_derive(self->phi, self->ep, PHI_RIGHT_RECV, &weak));
	EXPECT_EQ(-EPERM,
		  invoke(self->phi, weak, PHI_OP_SEND, &bits, 8, NULL, NULL));
	EXPECT_EQ(-EPERM,
		  invoke(self->phi, weak, PHI_OP_CALL, &bits, 8, &out, &len));
	/* And a capability that lives. */
	ASSERT_EQ(0, do_derive(self->phi, self->region, PHI_RIGHT_READ, &weak));
	ASSERT_EQ(0, do_revoke(self->phi, self->region));
	EXPECT_EQ(-EKEYREVOKED, read_at(self->phi, weak, offset, &out, 8));
	EXPECT_EQ(-EBADF, read_at(self->phi, 0, offset, &out, 8));
}

TEST_F(invoke, signals_and_polls)
{
	uint64_t bits = 0x6, mask = 0x3, out = SENTINEL;
	uint32_t len = 8;

	ASSERT_EQ(0, invoke(self->phi, self->bell, PHI_OP_SIGNAL, &bits, 8,
			    NULL, NULL));
	ASSERT_EQ(0, invoke(self->phi, self->bell, PHI_OP_POLL, &mask, 8, &out,
			    &len));
	EXPECT_EQ(0x2, out);
	EXPECT_EQ(8, len);
	EXPECT_EQ(-EAGAIN, invoke(self->phi, self->bell, PHI_OP_POLL, &mask, 8,
				  &out, &len));
	len = 7;
	EXPECT_EQ(-EMSGSIZE, invoke(self->phi, self->bell, PHI_OP_POLL, &mask,
				    8, &out, &len));
	ASSERT_EQ(0, do_bits(self->phi, self->bell, ~0ULL, &out));
	EXPECT_EQ(0x4, out);
	bits = 0;
	EXPECT_EQ(-EINVAL, invoke(self->phi, self->bell, PHI_OP_SIGNAL, &bits,
				  8, NULL, NULL));
}

/* Bits that cannot be told stay, whatever part of the answer has no room. */
TEST_F(invoke, loses_no_bits)
{
	struct phi_cap_invoke *arg = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t mask = 1, out;
	uint32_t len = 8;

	ASSERT_NE(MAP_FAILED, arg);
	ASSERT_EQ(0, do_signal(self->phi, self->bell, 1));
	EXPECT_EQ(-EFAULT, invoke(self->phi, self->bell, PHI_OP_POLL, &mask, 8,
				  (void *)8, &len));
	*arg = (struct phi_cap_invoke){
		.size = sizeof(*arg),
		.cap = self->bell,
		.op = PHI_OP_POLL,
		.in = (uintptr_t)&mask,
		.in_len = 8,
		.out = (uintptr_t)&out,
		.out_len = 8,
	};
	ASSERT_EQ(0, mprotect(arg, 8192, PROT_READ));
	EXPECT_EQ(-1, ioctl(self->phi, PHI_IOC_CAP_INVOKE, arg));
	EXPECT_EQ(EFAULT, errno);
	munmap(arg, 8192);
	ASSERT_EQ(0, do_bits(self->phi, self->bell, 1, &out));
	EXPECT_EQ(1, out);
}

TEST_F(invoke, queries_a_region_a_unit_and_a_model)
{
	struct phi_region_info region;
	struct phi_model_query model;
	uint64_t slice, unit, cap, model_id;
	struct phi_unit_query figures;
	uint32_t id;

	ASSERT_EQ(0, do_slice(self->phi, self->region, 4096, 4096, 0, &slice));
	ASSERT_EQ(0, query(self->phi, slice, &region, sizeof(region)));
	EXPECT_EQ(4096, region.bytes);
	EXPECT_EQ(0, region.rights);
	EXPECT_EQ(-EMSGSIZE,
		  query(self->phi, slice, &region, sizeof(region) - 1));

	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_GPU, 3, &id, &unit));
	ASSERT_EQ(0, do_unit_update(self->phi, unit, 500, 40000, 1));
	ASSERT_EQ(0, query(self->phi, unit, &figures, sizeof(figures)));
	EXPECT_EQ(id, figures.id);
	EXPECT_EQ(PHI_UNIT_GPU, figures.kind);
	EXPECT_EQ(3, figures.capacity);
	EXPECT_EQ(500, figures.load);
	ASSERT_EQ(0, do_derive(self->phi, unit, PHI_RIGHT_WRITE, &cap));
	EXPECT_EQ(-EPERM, query(self->phi, cap, &figures, sizeof(figures)));

	ASSERT_EQ(0, do_model(self->phi, 9, 0, &model_id, &cap));
	ASSERT_EQ(0, query(self->phi, cap, &model, sizeof(model)));
	EXPECT_EQ(model_id, model.id);
	EXPECT_EQ(9, model.max_batch);
}

/* The number of a model whose endpoint died is not that of the next one. */
TEST_F(invoke, finds_no_other_model)
{
	struct phi_model_register arg = {
		.max_batch = 1,
		.name = "dead",
		.endpoint = self->ep,
	};
	struct phi_model_query model;
	uint64_t next, id;

	ASSERT_EQ(0, PHI_DO(self->phi, MODEL_REGISTER, &arg));
	ASSERT_EQ(0, do_model(self->phi, 9, 0, &id, &next));
	ASSERT_EQ(0, do_drop(self->phi, self->ep));
	EXPECT_EQ(-ENOENT, query(self->phi, arg.cap, &model, sizeof(model)));
	EXPECT_EQ(0, query(self->phi, next, &model, sizeof(model)));
}

TEST_F(invoke, queries_an_agent)
{
	struct phi_agent_register arg = { .name = "asked" };
	struct phi_agent_figures agent;
	uint64_t weak;

	if (access("/sys/fs/cgroup/cgroup.procs", F_OK))
		mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL);
	ASSERT_TRUE(!mkdir(CGROUP, 0755) || errno == EEXIST);
	arg.cgroup = open(CGROUP, O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, PHI_DO(self->phi, AGENT_REGISTER, &arg));
	close(arg.cgroup);
	ASSERT_EQ(0, query(self->phi, arg.cap, &agent, sizeof(agent)));
	EXPECT_EQ(arg.id, agent.id);
	EXPECT_EQ(0, agent.parent);
	EXPECT_STREQ("asked", (char *)agent.name);
	ASSERT_EQ(0, do_derive(self->phi, arg.cap, PHI_RIGHT_ADMIN, &weak));
	EXPECT_EQ(-EPERM, query(self->phi, weak, &agent, sizeof(agent)));
	ASSERT_EQ(0, do_drop(self->phi, weak));
	ASSERT_EQ(0, do_drop(self->phi, arg.cap));
	rmdir(CGROUP);
}

/* A thread that calls by way of the capability. */
struct caller {
	int phi;
	uint64_t cap;
	pthread_t thread;
	int result;
	char answer[8];
	uint32_t len;
};

static void *call(void *arg)
{
	struct caller *c = arg;

	c->len = sizeof(c->answer);
	c->result = invoke(c->phi, c->cap, PHI_OP_CALL, "ask", 3, c->answer,
			   &c->len);
	return NULL;
}

TEST_F(invoke, sends_calls_and_answers)
{
	struct caller c = { .phi = self->phi };
	struct phi_recv in;
	char data[8] = "";

	/* A service object brings its badge, type and rights. */
	ASSERT_EQ(0, do_mint(self->phi, self->ep, PHI_TYPE_FILE,
			     PHI_RIGHT_SEND | PHI_RIGHT_READ, 77, &c.cap));
	ASSERT_EQ(0,
		  invoke(self->phi, c.cap, PHI_OP_SEND, "tell", 4, NULL, NULL));
	ASSERT_EQ(0, do_recv(self->phi, self->ep, data, sizeof(data), &in));
	EXPECT_STREQ("tell", data);
	EXPECT_EQ(77, in.badge);
	EXPECT_EQ(PHI_TYPE_FILE, in.type);
	EXPECT_EQ(PHI_RIGHT_SEND | PHI_RIGHT_READ, in.rights);
	EXPECT_EQ(0, in.reply);

	for (int way = 0; way < 2; way++) {
		ASSERT_EQ(0, pthread_create(&c.thread, NULL, call, &c));
		ASSERT_EQ(0, do_recv_soon(self->phi, self->ep, data,
					  sizeof(data), &in));
		EXPECT_EQ(0, memcmp("ask", data, 3));
		EXPECT_EQ(0, invoke(self->phi, in.reply, PHI_OP_ANSWER,
				    way ? "too long" : "well", way ? 9 : 4,
				    NULL, NULL));
		pthread_join(c.thread, NULL);
		EXPECT_EQ(way ? -EMSGSIZE : 0, c.result);
		if (!way) {
			EXPECT_EQ(4, c.len);
			EXPECT_EQ(0, memcmp("well", c.answer, 4));
		}
		/* The right to answer was used up. */
		EXPECT_EQ(-EBADF, invoke(self->phi, in.reply, PHI_OP_ANSWER, "",
					 0, NULL, NULL));
	}
}

/* Capabilities that come with the answer are nobody's. */
TEST_F(invoke, takes_no_capabilities)
{
	struct caller c = { .phi = self->phi, .cap = self->ep };
	struct phi_reply reply = {
		.ncaps = 1,
		.caps = { { self->bell, 0, PHI_RIGHT_ALL } },
	};
	struct phi_system_stats before;
	struct phi_recv in;
	char data[8];

	ASSERT_EQ(0, do_stats(self->phi, &before));
	ASSERT_EQ(0, pthread_create(&c.thread, NULL, call, &c));
	ASSERT_EQ(0, do_recv_soon(self->phi, self->ep, data, 8, &in));
	reply.reply = in.reply;
	EXPECT_EQ(0, PHI_DO(self->phi, REPLY, &reply));
	pthread_join(c.thread, NULL);
	EXPECT_EQ(0, c.result);
	EXPECT_EQ(0, c.len);
	EXPECT_TRUE(do_settled(self->phi, &before));
}

/* A process that calls, and is stopped meanwhile: it calls once. */
static void be_stopped(const struct phi_token *token)
{
	struct caller c = { .phi = do_open() };

	if (c.phi < 0 || do_unseal(c.phi, token, &c.cap))
		_exit(1);
	call(&c);
	_exit(c.result || c.len != 4 || memcmp(c.answer, "once", 4) ? 2 : 0);
}

TEST_F(invoke, goes_on_after_a_stop)
{
	struct phi_token token;
	struct phi_recv in;
	char data[8];
	int status;
	pid_t pid;

	ASSERT_EQ(0,
		  do_seal(self->phi, self->ep, PHI_RIGHT_SEND, 0, 0, &token));
	pid = fork();
	if (!pid)
		be_stopped(&token);
	ASSERT_EQ(0, do_recv_soon(self->phi, self->ep, data, 8, &in));
	for (int i = 0; i < 3; i++) {
		ASSERT_TRUE(process_sleeps(pid));
		kill(pid, SIGSTOP);
		while (process_state(pid) != 'T')
			usleep(1000);
		kill(pid, SIGCONT);
	}
	ASSERT_TRUE(process_sleeps(pid));
	EXPECT_EQ(-EAGAIN, do_take(self->phi, self->ep));
	EXPECT_EQ(0, do_reply(self->phi, in.reply, "once", 4));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* How often the policies heard of a call, and of another. */
static int heard(unsigned int first, unsigned int second, int *a, int *b)
{
	FILE *trace = fopen(TRACING "/trace", "r");
	char line[512], one[16], two[16];

	*a = 0;
	*b = 0;
	if (!trace)
		return -errno;
	snprintf(one, sizeof(one), "nr=0x%02x ", first);
	snprintf(two, sizeof(two), "nr=0x%02x ", second);
	while (fgets(line, sizeof(line), trace)) {
		*a += !!strstr(line, one);
		*b += !!strstr(line, two);
	}
	fclose(trace);
	return 0;
}

/* Policies are asked about the call that an operation stands for. */
TEST_F(invoke, is_the_call_that_it_stands_for)
{
	uint64_t bits = 1, offset = 0, out;
	struct phi_region_info info;
	int own, other;
	static const unsigned int nr[] = { 0x07, 0x08, 0x21, 0x22, 0x01 };

	if (access(EXITS, F_OK))
		mount("tracefs", TRACING, "tracefs", 0, NULL);
	for (unsigned int i = 0; i < 5; i++) {
		uint32_t len = 8;

		ASSERT_EQ(0, put_text(TRACING "/trace", ""));
		ASSERT_EQ(0, put_text(EXITS "/enable", "1"));
		switch (nr[i]) {
		case 0x07:
			EXPECT_EQ(0,
				  invoke(self->phi, self->bell, PHI_OP_SIGNAL,
					 &bits, 8, NULL, NULL));
			break;
		case 0x08:
			EXPECT_EQ(0, invoke(self->phi, self->bell, PHI_OP_POLL,
					    &bits, 8, &out, &len));
			break;
		case 0x21:
			EXPECT_EQ(0, read_at(self->phi, self->region, offset,
					     &out, 8));
			break;
		case 0x22:
			EXPECT_EQ(0, query(self->phi, self->region, &info,
					   sizeof(info)));
			break;
		default:
			EXPECT_EQ(0, invoke(self->phi, self->ep, PHI_OP_SEND,
					    "", 0, NULL, NULL));
		}
		ASSERT_EQ(0, put_text(EXITS "/enable", "0"));
		ASSERT_EQ(0, heard(0x15, nr[i], &own, &other));
		EXPECT_EQ(1, own);
		EXPECT_EQ(1, other)
		{
			TH_LOG("no call %#x", nr[i]);
		}
	}
	EXPECT_EQ(0, do_take(self->phi, self->ep));
}

TEST_F(invoke, refuses_bad_input)
{
	struct phi_cap_invoke arg = { .cap = self->bell, .op = PHI_OP_SIGNAL };
	uint64_t bits = 1, out;
	uint32_t len = 8;

	arg.in = (uintptr_t)&bits;
	arg.in_len = 8;
	arg.flags = PHI_NONBLOCK;
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, CAP_INVOKE, &arg));
	arg.flags = 2;
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, CAP_INVOKE, &arg));
	arg.flags = 0;
	arg.pad = 1;
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, CAP_INVOKE, &arg));
	arg.pad = 0;
	arg.deadline_ns = 1;
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, CAP_INVOKE, &arg));
	arg.deadline_ns = 0;
	arg.out_len = 1;
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, CAP_INVOKE, &arg));
	arg.out_len = 0;
	arg.in_len = 7;
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, CAP_INVOKE, &arg));
	arg.in_len = 9;
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, CAP_INVOKE, &arg));
	arg.in_len = 8;
	arg.in = 8;
	EXPECT_EQ(-EFAULT, PHI_DO(self->phi, CAP_INVOKE, &arg));
	EXPECT_EQ(-EAGAIN, do_bits(self->phi, self->bell, ~0ULL, &out));
	/* Operations of other types, and of none. */
	EXPECT_EQ(-EINVAL,
		  invoke(self->phi, self->bell, 0, &bits, 8, NULL, NULL));
	EXPECT_EQ(-EINVAL, invoke(self->phi, self->bell, PHI_OP_ANSWER + 1,
				  &bits, 8, NULL, NULL));
	EXPECT_EQ(-EINVAL, invoke(self->phi, self->region, PHI_OP_SIGNAL, &bits,
				  8, NULL, NULL));
	EXPECT_EQ(-EINVAL, invoke(self->phi, self->bell, PHI_OP_CALL, &bits, 8,
				  &out, &len));
	EXPECT_EQ(-EINVAL, query(self->phi, self->ep, &out, 8));
	/* The errors of the call behind it. */
	EXPECT_EQ(-EINVAL, invoke(self->phi, self->ep, PHI_OP_SEND, &bits,
				  PHI_MSG_MAX + 1, NULL, NULL));
	EXPECT_EQ(-EFAULT, invoke(self->phi, self->ep, PHI_OP_CALL, &bits, 8,
				  (void *)8, &len));
	arg = (struct phi_cap_invoke){
		.cap = self->ep,
		.op = PHI_OP_CALL,
		.deadline_ns = 1,
	};
	EXPECT_EQ(-ETIMEDOUT, PHI_DO(self->phi, CAP_INVOKE, &arg));
	EXPECT_EQ(-EAGAIN, do_take(self->phi, self->ep));
}

TEST_HARNESS_MAIN
