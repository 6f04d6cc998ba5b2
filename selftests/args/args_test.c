// SPDX-License-Identifier: GPL-2.0-only
/*
 * What holds for every call alike: the rules on sizes, flags, padding and
 * pointers, and that a call which cannot tell its result leaves none.
 */

#include "kselftest_harness.h"

#include <sys/mman.h>

#include "phi_calls.h"
#include "phi_ioctl.h"

FIXTURE(args)
{
	int phi;
	long page;
	/* Two pages, the second not accessible; @end is where it begins. */
	uint8_t *end;
	struct phi_system_stats before;
};

FIXTURE_SETUP(args)
{
	uint8_t *map;

	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	self->page = sysconf(_SC_PAGESIZE);
	map = mmap(NULL, 3 * self->page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	self->end = map + 2 * self->page;
	ASSERT_EQ(0, mprotect(self->end, self->page, PROT_NONE));
}

FIXTURE_TEARDOWN(args)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
	munmap(self->end - 2 * self->page, 3 * self->page);
}

/*
 * Make a call with a struct of zeroes but for its size and one more field. What
 * it makes is dropped: a thread registers only once.
 */
static int call_with(int phi, const struct call *call, uint32_t size,
		     uint32_t offset, uint32_t value)
{
	uint32_t arg[2 * 4096 / 4] = {};

	arg[0] = size;
	if (offset)
		arg[offset / 4] = value;
	if (ioctl(phi, call->cmd, arg))
		return -errno;
	if (call->makes) {
		uint64_t made;

		memcpy(&made, (char *)arg + call->makes, sizeof(made));
		return do_drop(phi, made);
	}
	return 0;
}

TEST_F(args, too_short)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		uint32_t first = calls[i].first ?: calls[i].size;

		for (uint32_t size = 0; size < first; size++) {
			ASSERT_EQ(-EINVAL,
				  call_with(self->phi, &calls[i], size, 0, 0))
			{
				TH_LOG("%s, %u bytes", calls[i].name, size);
			}
		}
	}
}

/* A struct of yesterday, which ends before what was added since. */
TEST_F(args, as_short_as_the_first_version)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *call = &calls[i];
		int want = call_with(self->phi, call, call->size, 0, 0);

		if (!call->first)
			continue;
		EXPECT_EQ(want, call_with(self->phi, call, call->first, 0, 0))
		{
			TH_LOG("%s", call->name);
		}
	}
}

/* A struct of tomorrow whose new fields are zero means the same. */
TEST_F(args, longer_with_a_zero_tail)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *call = &calls[i];
		int want = call_with(self->phi, call, call->size, 0, 0);

		ASSERT_NE(-E2BIG, want);
		ASSERT_NE(-ENOTTY, want)
		{
			TH_LOG("%s", call->name);
		}
		EXPECT_EQ(want,
			  call_with(self->phi, call, call->size + 8, 0, 0))
		{
			TH_LOG("%s", call->name);
		}
		EXPECT_EQ(want, call_with(self->phi, call, 4096, 0, 0))
		{
			TH_LOG("%s", call->name);
		}
	}
}

TEST_F(args, longer_with_more_than_zeroes)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *call = &calls[i];

		EXPECT_EQ(-E2BIG, call_with(self->phi, call, call->size + 8,
					    call->size, 1))
		{
			TH_LOG("%s", call->name);
		}
		EXPECT_EQ(-E2BIG, call_with(self->phi, call, 4096, 4092, 1))
		{
			TH_LOG("%s", call->name);
		}
		EXPECT_EQ(-E2BIG, call_with(self->phi, call, 4100, 0, 0))
		{
			TH_LOG("%s", call->name);
		}
		EXPECT_EQ(-E2BIG, call_with(self->phi, call, ~0U, 0, 0))
		{
			TH_LOG("%s", call->name);
		}
	}
}

TEST_F(args, unknown_flags)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *call = &calls[i];

		for (uint32_t flag = 1; flag; flag <<= 1) {
			if (flag & call->flags)
				continue;
			ASSERT_EQ(-EOPNOTSUPP, call_with(self->phi, call,
							 call->size, 4, flag))
			{
				TH_LOG("%s, flag %#x", call->name, flag);
			}
		}
	}
}

TEST_F(args, padding_is_not_zero)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *call = &calls[i];

		if (!call->pad)
			continue;
		for (uint32_t bit = 1; bit; bit <<= 1) {
			EXPECT_EQ(-EINVAL,
				  call_with(self->phi, call, call->size,
					    call->pad, bit))
			{
				TH_LOG("%s, bit %#x", call->name, bit);
			}
		}
	}
}

TEST_F(args, bad_pointers)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *call = &calls[i];
		void *bad[] = {
			NULL,
			(void *)8,
			self->end,
			self->end - 2,
			(void *)~0UL,
			(void *)0x8000000000000000UL,
			(void *)0xffffffff81000000UL,
		};

		for (unsigned int k = 0; k < ARRAY_SIZE(bad); k++) {
			ASSERT_EQ(-1, ioctl(self->phi, call->cmd, bad[k]));
			ASSERT_EQ(EFAULT, errno)
			{
				TH_LOG("%s at %p", call->name, bad[k]);
			}
		}
		/* The size can be read, the rest cannot. */
		for (uint32_t cut = 4; cut < call->size; cut += 4) {
			uint8_t *arg = self->end - cut;

			memset(arg, 0, cut);
			memcpy(arg, &call->size, 4);
			ASSERT_EQ(-1, ioctl(self->phi, call->cmd, arg));
			ASSERT_EQ(EFAULT, errno)
			{
				TH_LOG("%s cut at %u", call->name, cut);
			}
		}
	}
}

/* A struct may lie at any address. */
TEST_F(args, unaligned)
{
	struct phi_system_info info = { .size = sizeof(info) };
	uint8_t *arg = self->end - sizeof(info) - 1;

	memcpy(arg, &info, sizeof(info));
	ASSERT_EQ(0, ioctl(self->phi, PHI_IOC_SYSTEM_INFO, arg));
	memcpy(&info, arg, sizeof(info));
	EXPECT_EQ(PHI_ABI_VERSION, info.abi);
}

TEST_F(args, unknown_numbers)
{
	for (unsigned int nr = 0; nr < 256; nr++) {
		unsigned int cmd = _IO(PHI_IOC_MAGIC, nr);
		bool known = false;

		for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
			known |= calls[i].cmd == cmd;
		}
		ASSERT_EQ(-1, ioctl(self->phi, cmd, NULL));
		ASSERT_EQ(known ? EFAULT : ENOTTY, errno)
		{
			TH_LOG("number %#x", nr);
		}
		/* The number is all there is: no direction, no size. */
		ASSERT_EQ(-1, ioctl(self->phi, _IOWR(PHI_IOC_MAGIC, nr, int),
				    NULL));
		ASSERT_EQ(ENOTTY, errno);
		ASSERT_EQ(-1,
			  ioctl(self->phi, _IO(PHI_IOC_MAGIC + 1, nr), NULL));
		ASSERT_EQ(ENOTTY, errno);
	}
}

/*
 * The struct can be read but not written: the call fails, and what it made is
 * gone again.
 */
static int call_read_only(uint8_t *end, long page, int phi, unsigned int cmd,
			  const void *arg, uint32_t size)
{
	uint8_t *at = end - page;
	int ret;

	memcpy(at, arg, size);
	memcpy(at, &size, sizeof(size));
	if (mprotect(at, page, PROT_READ))
		return -errno;
	ret = ioctl(phi, cmd, at) ? -errno : 0;
	mprotect(at, page, PROT_READ | PROT_WRITE);
	return ret;
}

#define READ_ONLY(_cmd, _arg)                                            \
	call_read_only(self->end, self->page, self->phi, PHI_IOC_##_cmd, \
		       &(_arg), sizeof(_arg))

TEST_F(args, a_result_that_cannot_be_told_is_undone)
{
	struct phi_notify_create notify = {};
	struct phi_endpoint_create endpoint = {};
	struct phi_region_create region = { .bytes = self->page };
	struct phi_unit_register unit = {
		.kind = PHI_UNIT_CPU,
		.node = PHI_UNIT_UNKNOWN,
		.capacity = 1,
		.name = "args",
	};
	struct phi_model_register model = { .max_batch = 1, .name = "args" };
	struct phi_cap_mint mint = { .type = PHI_TYPE_FILE };
	struct phi_cap_derive derive = {};
	struct phi_cap_unseal unseal;
	struct phi_token token;
	struct phi_system_stats stats;
	uint32_t count, total;
	uint64_t cap;

	ASSERT_EQ(0, do_endpoint(self->phi, &cap));
	ASSERT_EQ(0, do_seal(self->phi, cap, PHI_RIGHT_SEND, 0, 0, &token));
	unseal = (struct phi_cap_unseal){ .token = (uintptr_t)&token };
	derive.cap = cap;
	mint.endpoint = cap;
	model.endpoint = cap;
	ASSERT_EQ(0, do_stats(self->phi, &stats));

	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(-EFAULT, READ_ONLY(NOTIFY_CREATE, notify));
		ASSERT_EQ(-EFAULT, READ_ONLY(ENDPOINT_CREATE, endpoint));
		ASSERT_EQ(-EFAULT, READ_ONLY(REGION_CREATE, region));
		ASSERT_EQ(-EFAULT, READ_ONLY(UNIT_REGISTER, unit));
		ASSERT_EQ(-EFAULT, READ_ONLY(MODEL_REGISTER, model));
		ASSERT_EQ(-EFAULT, READ_ONLY(CAP_MINT, mint));
		ASSERT_EQ(-EFAULT, READ_ONLY(CAP_DERIVE, derive));
		ASSERT_EQ(-EFAULT, READ_ONLY(CAP_UNSEAL, unseal));
	}
	EXPECT_TRUE(do_settled(self->phi, &stats));
	ASSERT_EQ(0, do_list(self->phi, NULL, 0, &count, &total));
	EXPECT_EQ(1, total);
}

#ifdef __x86_64__
/* A 32-bit program's ioctl: the structs are the same there. */
static long ioctl32(int fd, unsigned int cmd, void *arg)
{
	long ret;

	asm volatile("int $0x80"
		     : "=a"(ret)
		     : "a"(54L), "b"((long)fd), "c"((long)cmd), "d"(arg)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

TEST_F(args, from_32_bit_programs)
{
	struct phi_system_info *info =
		mmap(NULL, self->page, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	struct phi_notify_create *make = (void *)(info + 1);

	ASSERT_NE(MAP_FAILED, info);
	info->size = sizeof(*info);
	ASSERT_EQ(0, ioctl32(self->phi, PHI_IOC_SYSTEM_INFO, info));
	EXPECT_EQ(PHI_ABI_VERSION, info->abi);
	make->size = sizeof(*make);
	ASSERT_EQ(0, ioctl32(self->phi, PHI_IOC_NOTIFY_CREATE, make));
	EXPECT_EQ(0, do_probe(self->phi, make->cap));
	EXPECT_EQ(-ENOTTY, ioctl32(self->phi, _IO(PHI_IOC_MAGIC, 0xff), info));
	munmap(info, self->page);
}
#endif

TEST_HARNESS_MAIN
