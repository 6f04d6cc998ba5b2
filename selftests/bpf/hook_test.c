// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hooks run BPF programs that are no policies of bpf/: some return verdicts
 * outside of the errnos, one asks for a capability in an interrupt.
 */

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <limits.h>

#include "kselftest_harness.h"

#include "infer_ioctl.h"

#include "policy.h"

/* Instructions. */
#define OP(_code, _dst, _src, _off, _imm)  \
	((struct bpf_insn){                \
		.code = (_code),           \
		.dst_reg = BPF_REG_##_dst, \
		.src_reg = (_src),         \
		.off = (_off),             \
		.imm = (_imm),             \
	})
#define SET(_dst, _imm) OP(BPF_ALU64 | BPF_MOV, _dst, 0, 0, _imm)
#define ADD(_dst, _imm) OP(BPF_ALU64 | BPF_ADD, _dst, 0, 0, _imm)
#define LOAD(_dst, _src, _off) \
	OP(BPF_LDX | BPF_MEM | BPF_W, _dst, BPF_REG_##_src, _off, 0)
#define STORE(_dst, _off, _src) \
	OP(BPF_STX | BPF_MEM | BPF_W, _dst, BPF_REG_##_src, _off, 0)
#define COPY(_dst, _src) \
	OP(BPF_ALU64 | BPF_MOV | BPF_X, _dst, BPF_REG_##_src, 0, 0)
/* Add register 8, which holds 1. */
#define COUNT(_dst, _off) \
	OP(BPF_STX | BPF_ATOMIC | BPF_W, _dst, BPF_REG_8, _off, BPF_ADD)
#define UNLESS(_dst, _imm, _skip) OP(BPF_JMP | BPF_JNE, _dst, 0, _skip, _imm)
#define CALL(_helper) OP(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_##_helper)
#define CALL_PHI(_id) OP(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 1, _id)
#define END OP(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
/* Two: the address of what a map holds. */
#define MAP(_dst, _fd) \
	OP(BPF_LD | BPF_DW | BPF_IMM, _dst, BPF_PSEUDO_MAP_VALUE, 0, _fd)
#define MAP_TOO ((struct bpf_insn){})
#define WORD(_word) ((int)offsetof(struct shared, _word))

/* Rounds that a call takes under a program that waits for an interrupt. */
#define ROUNDS 8000
#define INTERRUPTS 20
#define CALLS_MAX 20000

/* The map that the test shares with its programs. */
struct shared {
	int verdict;
	uint32_t cpu; /* plus 1, where a call is under way */
	uint32_t seen; /* calls that see their capability */
	uint32_t interrupts; /* while a call was under way */
	uint32_t found; /* interrupts that see it */
	uint64_t info[5]; /* room for struct phi_cap_info */
};

/* The type information of the kernel and of the module. */
struct types {
	struct btf *kernel;
	struct btf *phi;
	int phi_fd;
};

/* The module's type information as a file, which a program names it by. */
static int open_types(const char *module)
{
	struct bpf_btf_info info;
	char name[64];
	__u32 id = 0, len;
	int fd;

	while (!bpf_btf_get_next_id(id, &id)) {
		fd = bpf_btf_get_fd_by_id(id);
		if (fd < 0)
			continue;
		info = (struct bpf_btf_info){
			.name = (uintptr_t)name,
			.name_len = sizeof(name),
		};
		len = sizeof(info);
		if (!bpf_btf_get_info_by_fd(fd, &info, &len) &&
		    !strcmp(name, module))
			return fd;
		close(fd);
	}
	return -ENOENT;
}

static bool load_types(struct types *types)
{
	types->kernel = btf__load_vmlinux_btf();
	types->phi = btf__load_module_btf("phi", types->kernel);
	types->phi_fd = open_types("phi");
	return types->kernel && types->phi && types->phi_fd >= 0;
}

static void free_types(struct types *types)
{
	btf__free(types->phi);
	btf__free(types->kernel);
	close(types->phi_fd);
}

/* Load a program and attach it. Return: what detaches it when it is closed. */
static int attach(const struct bpf_insn *code, size_t n,
		  struct bpf_prog_load_opts *opts)
{
	static char log[16384];
	int prog, link;

	opts->sz = sizeof(*opts);
	opts->log_buf = log;
	opts->log_size = sizeof(log);
	prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "hook_test", "GPL", code, n,
			     opts);
	if (prog < 0) {
		printf("# not loaded: %d\n# %s\n", prog, log);
		return prog;
	}
	link = bpf_raw_tracepoint_open(NULL, prog);
	close(prog);
	return link;
}

static int attach_to_hook(const struct types *types, const char *hook,
			  const struct bpf_insn *code, size_t n)
{
	const int files[] = { 0, types->phi_fd };
	struct bpf_prog_load_opts opts = {
		.expected_attach_type = BPF_MODIFY_RETURN,
		.attach_btf_obj_fd = types->phi_fd,
		.attach_btf_id =
			btf__find_by_name_kind(types->phi, hook, BTF_KIND_FUNC),
		.fd_array = files,
	};

	return attach(code, n, &opts);
}

/* A program on a hook that returns the verdict in a map, whatever it is. */
static int attach_verdict(const struct types *types, const char *hook, int map)
{
	const struct bpf_insn code[] = {
		MAP(1, map),
		MAP_TOO,
		LOAD(0, 1, WORD(verdict)),
		END,
	};

	return attach_to_hook(types, hook, code, ARRAY_SIZE(code));
}

/* One that keeps each call under way for a while, and sees its capability. */
static int attach_slow(const struct types *types, int map, int call_cap)
{
	const struct bpf_insn code[] = {
		MAP(6, map),
		MAP_TOO,
		CALL(get_smp_processor_id),
		ADD(0, 1),
		STORE(6, WORD(cpu), 0),
		SET(7, ROUNDS),
		CALL(ktime_get_ns),
		ADD(7, -1),
		UNLESS(7, 0, -3),
		COPY(1, 6),
		ADD(1, WORD(info)),
		CALL_PHI(call_cap),
		SET(8, 1),
		UNLESS(0, 0, 1),
		COUNT(6, WORD(seen)),
		SET(0, 0),
		STORE(6, WORD(cpu), 0),
		END,
	};

	return attach_to_hook(types, "phi_hook_syscall_enter", code,
			      ARRAY_SIZE(code));
}

/* One at the start of softirqs that asks where a call is under way. */
static int attach_softirq(const struct types *types, int map, int call_cap)
{
	const struct bpf_insn code[] = {
		MAP(6, map),
		MAP_TOO,
		CALL(get_smp_processor_id),
		ADD(0, 1),
		LOAD(1, 6, WORD(cpu)),
		OP(BPF_JMP | BPF_JNE | BPF_X, 0, BPF_REG_1, 7, 0),
		SET(8, 1),
		COUNT(6, WORD(interrupts)),
		COPY(1, 6),
		ADD(1, WORD(info)),
		CALL_PHI(call_cap),
		UNLESS(0, 0, 1),
		COUNT(6, WORD(found)),
		SET(0, 0),
		END,
	};
	const int files[] = { 0, types->phi_fd };
	struct bpf_prog_load_opts opts = {
		.expected_attach_type = BPF_TRACE_RAW_TP,
		.attach_btf_id = btf__find_by_name_kind(
			types->kernel, "btf_trace_softirq_entry",
			BTF_KIND_TYPEDEF),
		.fd_array = files,
	};

	return attach(code, ARRAY_SIZE(code), &opts);
}

FIXTURE(hook)
{
	int phi;
	int map;
	struct types types;
	struct phi_system_stats before;
};

FIXTURE_SETUP(hook)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_TRUE(load_types(&self->types));
	self->map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "hook_test", 4,
				   sizeof(struct shared), 1, NULL);
	ASSERT_LE(0, self->map);
}

FIXTURE_TEARDOWN(hook)
{
	close(self->map);
	free_types(&self->types);
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

static int set_verdict(int map, int verdict)
{
	struct shared shared = { .verdict = verdict };
	uint32_t zero = 0;

	/* No call that returns a number leaves an old errno to be read. */
	errno = 0;
	return bpf_map_update_elem(map, &zero, &shared, BPF_ANY);
}

static int notify_under(int phi, int map, int verdict)
{
	uint64_t cap;
	int ret;

	if (set_verdict(map, verdict))
		return -1000;
	ret = do_notify(phi, &cap);
	return set_verdict(map, 0) ? -1001 : ret;
}

TEST_F_TIMEOUT(hook, verdicts_that_are_no_errno_refuse_a_call, SLOW)
{
	const int odd[] = { 1, 511, 4096, INT_MAX, -512, -4095, -4096, INT_MIN };
	int link = attach_verdict(&self->types, "phi_hook_syscall_enter",
				  self->map);

	ASSERT_LE(0, link);
	EXPECT_EQ(0, notify_under(self->phi, self->map, 0));
	EXPECT_EQ(-EHOSTDOWN, notify_under(self->phi, self->map, -EHOSTDOWN));
	EXPECT_EQ(-511, notify_under(self->phi, self->map, -511));
	for (unsigned int i = 0; i < ARRAY_SIZE(odd); i++) {
		EXPECT_EQ(-EPERM, notify_under(self->phi, self->map, odd[i]))
		{
			TH_LOG("verdict %d", odd[i]);
		}
	}
	close(link);
	EXPECT_EQ(0, notify_under(self->phi, self->map, 1));
}

static int begin_under(int phi, uint64_t model, int map, int verdict,
		       uint32_t *batch)
{
	struct phi_infer_begin begin;
	int ret;

	if (set_verdict(map, verdict))
		return -1000;
	ret = do_begin(phi, model, 8, &begin);
	*batch = begin.batch;
	if (set_verdict(map, 0))
		return -1001;
	return ret ?: do_end(phi, begin.ticket, 0);
}

TEST_F_TIMEOUT(hook, verdicts_that_are_no_errno_refuse_a_batch, SLOW)
{
	const int odd[] = { -512, -4095, -4096, INT_MIN };
	uint32_t unit, batch;
	uint64_t id, model, cap;
	int link;

	ASSERT_EQ(0, do_model(self->phi, 8, 1, &id, &model));
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 2, &unit, &cap));
	link = attach_verdict(&self->types, "phi_hook_infer_pre", self->map);
	ASSERT_LE(0, link);
	EXPECT_EQ(0, begin_under(self->phi, model, self->map, 0, &batch));
	EXPECT_EQ(8, batch);
	EXPECT_EQ(-511, begin_under(self->phi, model, self->map, -511, &batch));
	for (unsigned int i = 0; i < ARRAY_SIZE(odd); i++) {
		EXPECT_EQ(-EPERM, begin_under(self->phi, model, self->map,
					      odd[i], &batch))
		{
			TH_LOG("verdict %d", odd[i]);
		}
	}
	/* A positive one is no refusal, but the most inputs. */
	EXPECT_EQ(0, begin_under(self->phi, model, self->map, 3, &batch));
	EXPECT_EQ(3, batch);
	EXPECT_EQ(0, begin_under(self->phi, model, self->map, INT_MAX, &batch));
	EXPECT_EQ(8, batch);
	close(link);
}

/* An interrupt is no part of the call in whose midst it comes. */
TEST_F_TIMEOUT(hook, an_interrupt_sees_no_capability, SLOW)
{
	int call_cap = btf__find_by_name_kind(
		self->types.phi, "bpf_phi_call_cap", BTF_KIND_FUNC);
	struct shared shared = {};
	uint32_t zero = 0, calls;
	int slow, softirq;
	uint64_t cap;

	ASSERT_LT(0, call_cap);
	ASSERT_EQ(0, do_notify(self->phi, &cap));
	slow = attach_slow(&self->types, self->map, call_cap);
	ASSERT_LE(0, slow);
	softirq = attach_softirq(&self->types, self->map, call_cap);
	ASSERT_LE(0, softirq);
	for (calls = 0; calls < CALLS_MAX && shared.interrupts < INTERRUPTS;
	     calls++) {
		ASSERT_EQ(0, do_probe(self->phi, cap));
		ASSERT_EQ(0, bpf_map_lookup_elem(self->map, &zero, &shared));
	}
	printf("# %u softirqs in %u calls\n", shared.interrupts, calls);
	EXPECT_LE(INTERRUPTS, shared.interrupts);
	EXPECT_EQ(0, shared.found);
	EXPECT_EQ(calls, shared.seen);
	close(softirq);
	close(slow);
}

int main(int argc, char **argv)
{
	static const char *const used[] = { NULL };

	return policy_main(test_harness_run, argc, argv, used);
}
