// SPDX-License-Identifier: GPL-2.0-only
/* The basic calls of PhiOS and libnyx. */
#include <kselftest_harness.h>

#include <phi/phi.h>
#include <pthread.h>
#include <sys/mman.h>

#include "phi_ioctl.h"

#define PHI_NYX_NAMES
#include <phi/nyx.h>

static int64_t add_one(void *arg)
{
	return *(int64_t *)arg + 1;
}

TEST(thread_returns_a_status)
{
	int64_t number = 1LL << 40, status = 0;
	uint64_t thread;

	ASSERT_LE(0, phi_nyx_cspace());
	ASSERT_EQ(0, phi_nyx_create_thread(add_one, &number, &thread));
	ASSERT_EQ(0, phi_nyx_thread_join(thread, &status));
	EXPECT_EQ(number + 1, status);
	/* The handle is gone. */
	EXPECT_EQ(-EBADF, phi_nyx_thread_join(thread, &status));
}

static int64_t leave_early(void *arg)
{
	phi_nyx_exit(*(int64_t *)arg);
}

TEST(thread_exits)
{
	int64_t number = -3, status = 0;
	uint64_t thread;

	ASSERT_EQ(0, phi_nyx_create_thread(leave_early, &number, &thread));
	ASSERT_EQ(0, phi_nyx_thread_join(thread, &status));
	EXPECT_EQ(-3, status);
}

TEST(many_threads)
{
	int64_t number = 5, status = 0;
	uint64_t threads[20];

	for (int i = 0; i < 20; i++)
		ASSERT_EQ(0,
			  phi_nyx_create_thread(add_one, &number, &threads[i]));
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(0, phi_nyx_thread_join(threads[i], &status));
		EXPECT_EQ(6, status);
	}
}

/* Threads that ask first at the same time get the same one. */
static void *ask(void *arg)
{
	*(int *)arg = phi_nyx_cspace();
	return NULL;
}

TEST(one_cspace)
{
	pthread_t threads[8];
	int phi[8];

	for (int i = 0; i < 8; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, ask, &phi[i]));
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 8; i++) {
		EXPECT_LE(0, phi[i]);
		EXPECT_EQ(phi[0], phi[i]);
	}
	EXPECT_EQ(phi[0], phi_nyx_cspace());
}

static int use_own(void *arg)
{
	uint64_t cap;
	int *parent = arg;
	int phi = phi_nyx_cspace();

	return phi < 0 || phi == *parent ? -1 : phi_notify_create(phi, &cap);
}

TEST(fork_has_its_own)
{
	int phi = phi_nyx_cspace();

	ASSERT_LE(0, phi);
	EXPECT_EQ(0, in_child(use_own, &phi));
}

static int end_child(void *arg __attribute__((unused)))
{
	phi_nyx_exit(0x107);
}

/* Outside of its own threads it is the process that ends. */
TEST(exit_of_the_process)
{
	int status;
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		end_child(NULL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(7, WEXITSTATUS(status));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		phi_nyx_process_exit(9);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(9, WEXITSTATUS(status));
}

TEST(memory)
{
	uint64_t region, word = 0;
	uint64_t *mem;
	size_t len;
	void *at;

	ASSERT_EQ(0, phi_region_create(phi_nyx_cspace(), 8192, 0, &region));
	ASSERT_EQ(0, phi_nyx_map_memory(region, PROT_READ | PROT_WRITE, &at,
					&len));
	EXPECT_EQ(8192, len);
	mem = at;
	mem[1] = 42;
	EXPECT_EQ(8, phi_nyx_cap_invoke(region, PHI_OP_READ, &(uint64_t){ 8 },
					8, &word, 8));
	EXPECT_EQ(42, word);
	EXPECT_EQ(0, phi_nyx_unmap_memory(at, len));
	EXPECT_EQ(-EBADF, phi_nyx_map_memory(99, PROT_READ, &at, &len));
}

TEST(messages)
{
	struct phi_call call = {};
	uint64_t mail, reply = 9;
	char text[8] = "", big[PHI_MSG_MAX + 1] = "";

	ASSERT_EQ(0, phi_endpoint_create(phi_nyx_cspace(), &mail));
	ASSERT_EQ(0, phi_nyx_send(mail, "hello", 6));
	ASSERT_EQ(6, phi_nyx_receive(mail, text, sizeof(text), &reply));
	EXPECT_STREQ("hello", text);
	EXPECT_EQ(0, reply);
	ASSERT_EQ(0, phi_nyx_send(mail, "hello", 6));
	EXPECT_EQ(-EMSGSIZE, phi_nyx_receive(mail, text, 5, NULL));
	EXPECT_EQ(-EINVAL, phi_nyx_send(mail, big, sizeof(big)));
	EXPECT_EQ(-EINVAL, phi_nyx_send(mail, big, (1ULL << 32) + 1));
	/* Nobody takes the answer: the deadline of the call has passed. */
	call.endpoint = mail;
	call.deadline_ns = 1;
	EXPECT_EQ(-ETIMEDOUT, PHI_DO(phi_nyx_cspace(), CALL, &call));
}

/* The server's side of a call, with the short names. */
static int64_t serve(void *arg)
{
	uint64_t mail = *(uint64_t *)arg, reply;
	char text[PHI_MSG_MAX];
	int n = receive_message(mail, text, sizeof(text), &reply);

	if (n < 0 || !reply)
		exit(n);
	exit(cap_invoke(reply, PHI_OP_ANSWER, text, n, NULL, 0));
	return 0;
}

TEST(short_names)
{
	int (*give_way)(void) = yield;
	uint64_t mail, thread, region, word = 7;
	char answer[8] = "";
	int64_t status = 9;
	size_t len;
	void *at;

	ASSERT_EQ(0, phi_endpoint_create(phi_nyx_cspace(), &mail));
	ASSERT_EQ(0, create_thread(serve, &mail, &thread));
	EXPECT_EQ(0, give_way());
	EXPECT_EQ(4, cap_invoke(mail, PHI_OP_CALL, "ping", 4, answer,
				sizeof(answer)));
	EXPECT_STREQ("ping", answer);
	ASSERT_EQ(0, phi_nyx_thread_join(thread, &status));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, send_message(mail, &word, sizeof(word)));
	ASSERT_EQ(8, receive_message(mail, &word, sizeof(word), NULL));
	ASSERT_EQ(0, phi_region_create(phi_nyx_cspace(), 4096, 0, &region));
	ASSERT_EQ(0, map_memory(region, PROT_READ, &at, &len));
	EXPECT_EQ(0, unmap_memory(at, len));
}

TEST(sleeps_and_yields)
{
	uint64_t before = monotonic_ns();

	EXPECT_EQ(0, phi_nyx_sleep(3000000));
	EXPECT_LE(before + 3000000, monotonic_ns());
	EXPECT_EQ(0, phi_nyx_sleep(0));
	EXPECT_EQ(0, phi_nyx_yield());
}

TEST(processes)
{
	struct phi_endowment give = { .rights = PHI_RIGHT_WRITE };
	char *const argv[] = { "sh", "-c", "test -e /proc/self/fd/3 && exit 5",
			       NULL };
	int pidfd, status = 0;
	uint64_t notify;

	ASSERT_EQ(0, phi_notify_create(phi_nyx_cspace(), &notify));
	give.cap = notify;
	ASSERT_EQ(0, phi_nyx_process_spawn("/bin/sh", argv, &give, 1, &pidfd));
	ASSERT_EQ(0, phi_nyx_process_wait(pidfd, &status));
	EXPECT_EQ(5, status);
	EXPECT_EQ(-EBADF, phi_nyx_process_wait(pidfd, &status));
	give.rights = PHI_RIGHT_RECV;
	EXPECT_EQ(-EPERM,
		  phi_nyx_process_spawn("/bin/sh", argv, &give, 1, &pidfd));
	EXPECT_EQ(-ENOENT,
		  phi_nyx_process_spawn("/no/such", argv, NULL, 0, &pidfd));
}

#undef exit
TEST_HARNESS_MAIN
