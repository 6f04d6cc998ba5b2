// SPDX-License-Identifier: GPL-2.0-only
/* Inboxes: who receives, and until when. */

#include "kselftest_harness.h"

#include <linux/userfaultfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "file.h"
#include "phi_message.h"

#define TRACING "/sys/kernel/tracing"
#define ENTERS TRACING "/events/phi/phi_call_enter"

FIXTURE(inbox)
{
	int phi;
	uint64_t root, ep;
	int self; /* pidfd of this process */
	struct phi_system_stats before;
};

static int do_inbox(int phi, uint64_t endpoint)
{
	struct phi_cspace_inbox arg = { .endpoint = endpoint };

	return PHI_DO(phi, CSPACE_INBOX, &arg);
}

static int do_grant(int phi, int pidfd, uint64_t cap)
{
	struct phi_cap_grant arg = { .give = { cap, 0, 0 }, .pidfd = pidfd };

	return PHI_DO(phi, CAP_GRANT, &arg);
}

FIXTURE_SETUP(inbox)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_notify(self->phi, &self->root));
	ASSERT_EQ(0, do_endpoint(self->phi, &self->ep));
	ASSERT_EQ(0, do_inbox(self->phi, self->ep));
	self->self = syscall(SYS_pidfd_open, getpid(), 0);
	ASSERT_LE(0, self->self);
}

FIXTURE_TEARDOWN(inbox)
{
	close(self->self);
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

/* A grant whose data the kernel cannot read before somebody provides it. */
struct late {
	int phi, pidfd;
	uint64_t cap;
	void *page;
	pthread_t thread;
	int result;
};

static void *grant_late(void *arg)
{
	struct late *late = arg;
	struct phi_cap_grant grant = {
		.give = { late->cap, 0, PHI_RIGHT_ALL },
		.data = (uintptr_t)late->page,
		.len = 3,
		.pidfd = late->pidfd,
	};

	late->result = PHI_DO(late->phi, CAP_GRANT, &grant);
	return NULL;
}

/* Have accesses to a page wait. Return: the file that tells of them. */
static int hold_page(void *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = {
		.range = { (uintptr_t)page, 4096 },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) ||
	    ioctl(fd, UFFDIO_REGISTER, &area))
		return -errno;
	return fd;
}

/* One that is on its way when the inbox goes does not arrive after that. */
TEST_F(inbox, does_not_outlive_the_inbox)
{
	struct late late = {
		.phi = self->phi,
		.pidfd = self->self,
		.cap = self->root,
	};
	struct uffdio_zeropage zero = { .range.len = 4096 };
	struct uffd_msg msg;
	int held;

	ASSERT_EQ(0, do_grant(self->phi, self->self, self->root));
	late.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	held = hold_page(late.page);
	ASSERT_LE(0, held);
	ASSERT_EQ(0, pthread_create(&late.thread, NULL, grant_late, &late));
	ASSERT_EQ(sizeof(msg), read(held, &msg, sizeof(msg)));
	ASSERT_EQ(0, do_inbox(self->phi, 0));
	zero.range.start = (uintptr_t)late.page;
	ASSERT_EQ(0, ioctl(held, UFFDIO_ZEROPAGE, &zero));
	pthread_join(late.thread, NULL);
	EXPECT_EQ(-EPIPE, late.result);
	/* What was in the queue by then is there. */
	EXPECT_EQ(0, do_take(self->phi, self->ep));
	EXPECT_EQ(-EAGAIN, do_take(self->phi, self->ep));
	close(held);
	munmap(late.page, 4096);
}

/* Whether the trace shows a grant to this receiver. */
static bool heard_grant(const char *to)
{
	FILE *trace = fopen(TRACING "/trace", "r");
	bool heard = false;
	char line[512];

	if (!trace)
		return false;
	while (fgets(line, sizeof(line), trace))
		heard |= strstr(line, "nr=0x12 ") && strstr(line, to);
	fclose(trace);
	return heard;
}

/* Policies hear who receives, also when nothing is there to receive with. */
TEST_F(inbox, tells_policies_who_receives)
{
	char to[64];

	if (access(ENTERS, F_OK))
		mount("tracefs", TRACING, "tracefs", 0, NULL);
	ASSERT_EQ(0, put_text(TRACING "/trace", ""));
	ASSERT_EQ(0, put_text(ENTERS "/enable", "1"));
	EXPECT_EQ(0, do_grant(self->phi, self->self, self->root));
	ASSERT_EQ(0, do_inbox(self->phi, 0));
	EXPECT_EQ(-EPIPE, do_grant(self->phi, self->self, self->root));
	ASSERT_EQ(0, put_text(ENTERS "/enable", "0"));
	snprintf(to, sizeof(to), "to_uid=0 to_tgid=%d to_agent=0\n", getpid());
	EXPECT_TRUE(heard_grant(to));
	snprintf(to, sizeof(to), "to_uid=-1 to_tgid=%d to_agent=0\n", getpid());
	EXPECT_TRUE(heard_grant(to));
}

TEST_HARNESS_MAIN
