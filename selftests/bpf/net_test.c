// SPDX-License-Identifier: GPL-2.0-only
/*
 * net_gate, between two network namespaces: the tests live in the one that
 * the gate guards, and send children to the other.
 */

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>

#include "kselftest_harness.h"

#include "phi_ioctl.h"

#include "policy.h"

#define OUTSIDE "phi-out"
#define INSIDE "phi-in"
#define PORT 7777
/* How long to wait for a packet: for one that must not come, and must. */
#define NONE_MS 400
#define SOME_MS 10000

FIXTURE(net)
{
	int phi;
	uint64_t endpoint;
};

static int enter(const char *ns)
{
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/run/netns/%s", ns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = setns(fd, CLONE_NEWNET) ? -errno : 0;
	close(fd);
	return ret;
}

/* Made by the first test, for all of them. */
static int make_net(void)
{
	return sh("set -e\n"
		  "ip netns add " OUTSIDE "\n"
		  "ip netns add " INSIDE "\n"
		  "ip link add out netns " OUTSIDE
		  " type veth peer name in netns " INSIDE "\n"
		  "ip -n " OUTSIDE " addr add 10.77.0.1/24 dev out\n"
		  "ip -n " INSIDE " addr add 10.77.0.2/24 dev in\n"
		  "ip -n " OUTSIDE " addr add fd77::1/64 dev out nodad\n"
		  "ip -n " INSIDE " addr add fd77::2/64 dev in nodad\n"
		  "ip -n " OUTSIDE " link set out up\n"
		  "ip -n " INSIDE " link set in up\n"
		  "ip -n " OUTSIDE " link set lo up\n"
		  "ip -n " INSIDE " link set lo up");
}

FIXTURE_SETUP(net)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_endpoint(self->phi, &self->endpoint));
	ASSERT_EQ(0, policy_use("net_gate"));
	if (!access("/run/netns/" INSIDE, F_OK)) {
		ASSERT_EQ(0, enter(INSIDE));
		return;
	}
	ASSERT_EQ(0, make_net());
	ASSERT_EQ(0, enter(INSIDE));
	ASSERT_EQ(0, policy_run("net_gate", "bpftool net attach", "in"));
}

FIXTURE_TEARDOWN(net)
{
	close(self->phi);
}

static int mint(int phi, uint64_t endpoint, uint8_t proto, uint16_t port,
		uint64_t *cap)
{
	struct phi_cap_mint arg = {
		.endpoint = endpoint,
		.type = PHI_TYPE_NETWORK,
		.rights = PHI_RIGHT_SEND | PHI_RIGHT_ADMIN,
		.badge = PHI_NETWORK_BADGE(proto, port),
	};
	int ret = PHI_DO(phi, CAP_MINT, &arg);

	*cap = arg.out;
	return ret;
}

/* An address inside (host 2) or outside (host 1), of either family. */
static socklen_t address(struct sockaddr_storage *at, int family, int host,
			 uint16_t port)
{
	struct sockaddr_in6 *six = (void *)at;
	struct sockaddr_in *four = (void *)at;

	memset(at, 0, sizeof(*at));
	at->ss_family = family;
	if (family == AF_INET) {
		four->sin_port = htons(port);
		inet_pton(family, host == 1 ? "10.77.0.1" : "10.77.0.2",
			  &four->sin_addr);
		return sizeof(*four);
	}
	six->sin6_port = htons(port);
	inet_pton(family, host == 1 ? "fd77::1" : "fd77::2", &six->sin6_addr);
	return sizeof(*six);
}

static int server(int family, int type, int host, uint16_t port)
{
	struct sockaddr_storage at;
	socklen_t len = address(&at, family, host, port);
	int fd = socket(family, type | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (void *)&at, len) ||
	    (type == SOCK_STREAM && listen(fd, 8))) {
		close(fd);
		return -errno;
	}
	return fd;
}

static bool readable(int fd, int ms)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	return poll(&wait, 1, ms) == 1;
}

/* Connect: a connected socket or a negative errno. */
static int dial(int family, int host, uint16_t port, int ms)
{
	struct sockaddr_storage at;
	socklen_t len = address(&at, family, host, port);
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t size = sizeof(error);

	if (!connect(fd, (void *)&at, len))
		return fd;
	if (errno == EINPROGRESS && poll(&wait, 1, ms) == 1 &&
	    !getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) && !error)
		return fd;
	close(fd);
	return error ? -error : -ETIMEDOUT;
}

/* What a child outside sends. */
struct sending {
	int family;
	uint16_t port;
	size_t bytes;
	bool options;
	int ms; /* to wait for an answer */
};

static int send_udp(void *arg)
{
	/* Four times nothing; eight bytes of padding as options to the host. */
	static const unsigned char nops[4] = { 1, 1, 1, 1 };
	static const unsigned char pad[8] = { 0, 0, 1, 4, 0, 0, 0, 0 };
	static char data[8192];
	struct sending *s = arg;
	struct sockaddr_storage at;
	socklen_t len = address(&at, s->family, 2, s->port);
	int fd, ret;

	if (enter(OUTSIDE))
		return -1000;
	fd = socket(s->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s->options && s->family == AF_INET)
		ret = setsockopt(fd, IPPROTO_IP, IP_OPTIONS, nops,
				 sizeof(nops));
	else if (s->options)
		ret = setsockopt(fd, IPPROTO_IPV6, IPV6_DSTOPTS, pad,
				 sizeof(pad));
	else
		ret = 0;
	if (ret)
		return -errno;
	ret = sendto(fd, data, s->bytes, 0, (void *)&at, len);
	return ret == (int)s->bytes ? 0 : -errno;
}

static int dial_in(void *arg)
{
	struct sending *s = arg;
	int fd;

	if (enter(OUTSIDE))
		return -1000;
	fd = dial(s->family, 2, s->port, s->ms);
	return fd < 0 ? fd : 0;
}

/* Return: 0 when a connection is made, or a negative errno. */
static int connects(struct sending s, int ms)
{
	s.ms = ms;
	return in_child(dial_in, &s);
}

/* Does a datagram arrive whole at this server? */
static bool arrives(int fd, struct sending s, int ms)
{
	char data[8192];

	if (in_child(send_udp, &s))
		return false;
	return readable(fd, ms) &&
	       recv(fd, data, sizeof(data), 0) == (ssize_t)s.bytes;
}

FIXTURE_VARIANT(net)
{
	int family;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(net, ip4) {
	/* clang-format on */
	.family = AF_INET,
};

/* clang-format off */
FIXTURE_VARIANT_ADD(net, ip6) {
	/* clang-format on */
	.family = AF_INET6,
};

TEST_F_TIMEOUT(net, tcp_passes_while_a_capability_lives, SLOW)
{
	struct sending s = { .family = variant->family, .port = PORT };
	int listener = server(variant->family, SOCK_STREAM, 2, PORT);
	uint64_t cap;

	ASSERT_LE(0, listener);
	EXPECT_EQ(-ETIMEDOUT, connects(s, NONE_MS));
	ASSERT_EQ(0, mint(self->phi, self->endpoint, IPPROTO_TCP, PORT, &cap));
	EXPECT_EQ(0, connects(s, SOME_MS));
	s.port = PORT + 1;
	EXPECT_EQ(-ETIMEDOUT, connects(s, NONE_MS));
	s.port = PORT;
	/* The endpoint's revoke kills what was minted from it. */
	ASSERT_EQ(0, do_revoke(self->phi, self->endpoint));
	EXPECT_EQ(-ETIMEDOUT, connects(s, NONE_MS));
	ASSERT_EQ(0, mint(self->phi, self->endpoint, IPPROTO_TCP, PORT, &cap));
	EXPECT_EQ(0, connects(s, SOME_MS));
	ASSERT_EQ(0, do_drop(self->phi, cap));
	EXPECT_EQ(-ETIMEDOUT, connects(s, NONE_MS));
}

TEST_F_TIMEOUT(net, udp_passes_while_a_capability_lives, SLOW)
{
	struct sending s = { .family = variant->family,
			     .port = PORT,
			     .bytes = 10 };
	int fd = server(variant->family, SOCK_DGRAM, 2, PORT);
	uint64_t cap;

	ASSERT_LE(0, fd);
	EXPECT_FALSE(arrives(fd, s, NONE_MS));
	/* The same port of another protocol is another port. */
	ASSERT_EQ(0, mint(self->phi, self->endpoint, IPPROTO_TCP, PORT, &cap));
	EXPECT_FALSE(arrives(fd, s, NONE_MS));
	/* Port 0 stands for all. */
	ASSERT_EQ(0, mint(self->phi, self->endpoint, IPPROTO_UDP, 0, &cap));
	EXPECT_TRUE(arrives(fd, s, SOME_MS));
	ASSERT_EQ(0, do_drop(self->phi, cap));
	EXPECT_FALSE(arrives(fd, s, NONE_MS));
}

/* One live capability is enough, of any object and endpoint. */
TEST_F_TIMEOUT(net, udp_passes_while_any_capability_lives, SLOW)
{
	struct sending s = { .family = variant->family,
			     .port = PORT,
			     .bytes = 10 };
	int fd = server(variant->family, SOCK_DGRAM, 2, PORT);
	uint64_t other, first, second, child, when;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, do_endpoint(self->phi, &other));
	ASSERT_EQ(0,
		  mint(self->phi, self->endpoint, IPPROTO_UDP, PORT, &first));
	ASSERT_EQ(0, mint(self->phi, other, IPPROTO_UDP, PORT, &second));
	EXPECT_TRUE(arrives(fd, s, SOME_MS));
	ASSERT_EQ(0, do_drop(self->phi, first));
	EXPECT_TRUE(arrives(fd, s, SOME_MS));
	/* Nobody receives at its endpoint: it opens nothing. */
	ASSERT_EQ(0, do_drop(self->phi, other));
	EXPECT_EQ(0, do_probe(self->phi, second));
	EXPECT_FALSE(arrives(fd, s, NONE_MS));

	/* A child opens it until its time is up; dead ones never do. */
	ASSERT_EQ(0,
		  mint(self->phi, self->endpoint, IPPROTO_UDP, PORT, &first));
	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(0, do_derive_until(self->phi, first, PHI_RIGHT_SEND,
					     1, 0, &child));
	}
	when = boottime_ns() + 5000000000ULL;
	ASSERT_EQ(0, do_derive_until(self->phi, first, PHI_RIGHT_SEND, when, 0,
				     &child));
	ASSERT_EQ(0, do_drop(self->phi, first));
	EXPECT_TRUE(arrives(fd, s, SOME_MS));
	while (boottime_ns() < when)
		usleep(10000);
	/* The worker that sweeps it has other work too. */
	for (int tries = 0; tries < 20 && arrives(fd, s, NONE_MS); tries++)
		usleep(10000);
	EXPECT_FALSE(arrives(fd, s, NONE_MS));
}

TEST_F_TIMEOUT(net, fragments_and_options_are_seen_through, SLOW)
{
	struct sending s = { .family = variant->family,
			     .port = PORT,
			     .bytes = 5000 };
	int fd = server(variant->family, SOCK_DGRAM, 2, PORT);
	uint64_t cap;

	ASSERT_LE(0, fd);
	EXPECT_FALSE(arrives(fd, s, NONE_MS));
	s.options = true;
	EXPECT_FALSE(arrives(fd, s, NONE_MS));
	ASSERT_EQ(0, mint(self->phi, self->endpoint, IPPROTO_UDP, PORT, &cap));
	EXPECT_TRUE(arrives(fd, s, SOME_MS));
	s.bytes = 10;
	EXPECT_TRUE(arrives(fd, s, SOME_MS));
	s.options = false;
	s.bytes = 5000;
	EXPECT_TRUE(arrives(fd, s, SOME_MS));
}

/* Connect, tell the parent through a pipe, send a byte when it says so. */
static pid_t talker(int family, int *told, int *go)
{
	int up[2], down[2];
	char byte = 0;
	pid_t pid;
	int fd;

	if (pipe2(up, O_CLOEXEC) || pipe2(down, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		fd = enter(OUTSIDE) ? -1 : dial(family, 2, PORT, SOME_MS);
		if (fd < 0 || write(up[1], &byte, 1) != 1)
			_exit(1);
		close(up[1]);
		close(down[1]);
		while (read(down[0], &byte, 1) == 1) {
			if (write(fd, &byte, 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	close(up[1]);
	close(down[0]);
	*told = up[0];
	*go = down[1];
	return pid;
}

TEST_F_TIMEOUT(net, revoke_cuts_connections_that_exist, SLOW)
{
	int listener = server(variant->family, SOCK_STREAM, 2, PORT);
	int told, go, conn;
	char byte = 7;
	uint64_t cap;
	pid_t pid;

	ASSERT_LE(0, listener);
	ASSERT_EQ(0, mint(self->phi, self->endpoint, IPPROTO_TCP, PORT, &cap));
	pid = talker(variant->family, &told, &go);
	ASSERT_LT(0, pid);
	ASSERT_EQ(1, read(told, &byte, 1));
	conn = accept(listener, NULL, NULL);
	ASSERT_LE(0, conn);
	ASSERT_EQ(1, write(go, &byte, 1));
	EXPECT_TRUE(readable(conn, SOME_MS));
	ASSERT_EQ(1, read(conn, &byte, 1));
	ASSERT_EQ(0, do_revoke(self->phi, self->endpoint));
	ASSERT_EQ(1, write(go, &byte, 1));
	EXPECT_FALSE(readable(conn, NONE_MS));
	/* Opened again, what was sent meanwhile is sent again. */
	ASSERT_EQ(0, mint(self->phi, self->endpoint, IPPROTO_TCP, PORT, &cap));
	EXPECT_TRUE(readable(conn, SOME_MS));
	close(go);
	waitpid(pid, NULL, 0);
}

static int serve_outside(void *arg)
{
	int *told = arg;
	int fd, family = told[1];
	char byte = 0;

	if (enter(OUTSIDE))
		return -1000;
	fd = server(family, SOCK_STREAM, 1, PORT);
	if (fd < 0 || write(told[0], &byte, 1) != 1)
		return -1001;
	return readable(fd, SOME_MS) ? 0 : -ETIMEDOUT;
}

TEST_F_TIMEOUT(net, answers_need_a_range, SLOW)
{
	int told[2], arg[2], i, ret;
	char byte;
	pid_t pid;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pipe2(told, O_CLOEXEC));
		arg[0] = told[1];
		arg[1] = variant->family;
		pid = fork();
		if (!pid) {
			serve_outside(arg);
			pause();
		}
		ASSERT_EQ(1, read(told[0], &byte, 1));
		ret = dial(variant->family, 1, PORT, i ? SOME_MS : NONE_MS);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(told[0]);
		close(told[1]);
		if (i) {
			EXPECT_LE(0, ret);
		} else {
			EXPECT_EQ(-ETIMEDOUT, ret);
			ASSERT_EQ(0, policy_run("net_gate",
						"bpftool map update", NULL));
		}
	}
}

/* A SYN into the range of answers is no answer. */
TEST_F_TIMEOUT(net, range_does_not_let_connections_in, SLOW)
{
	struct sending s = { .family = variant->family, .port = 40000 };
	int listener = server(variant->family, SOCK_STREAM, 2, 40000);

	ASSERT_LE(0, listener);
	ASSERT_EQ(0, policy_run("net_gate", "bpftool map update", NULL));
	EXPECT_EQ(-ETIMEDOUT, connects(s, NONE_MS));
}

TEST_F_TIMEOUT(net, ping_passes_and_all_is_counted, SLOW)
{
	bool six = variant->family == AF_INET6;

	EXPECT_EQ(0, sh("nsenter --net=/run/netns/" OUTSIDE
			" ping -q -c 2 -W 5 %s",
			six ? "fd77::2" : "10.77.0.2"));
	EXPECT_LE(2, policy_sum("net_gate", "packets", 1));
}

/* The network goes with the tests. */
static int run(int argc, char **argv)
{
	pid_t pid;
	int ret;

	/* First what a run that was killed left. */
	sh("ip netns del " OUTSIDE "; ip netns del " INSIDE "; true");
	pid = fork();
	if (!pid)
		exit(test_harness_run(argc, argv));
	if (waitpid(pid, &ret, 0) != pid)
		return KSFT_FAIL;
	if (sh("ip netns del " OUTSIDE " && ip netns del " INSIDE))
		return KSFT_FAIL;
	return ret ? KSFT_FAIL : KSFT_PASS;
}

int main(int argc, char **argv)
{
	static const char *const used[] = { "net_gate", NULL };

	return policy_main(run, argc, argv, used);
}
