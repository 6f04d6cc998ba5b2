// SPDX-License-Identifier: GPL-2.0-only
/* A proxy in front of a server, which breaks off or answers by itself. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "s3.h"
#include "way.h"

/* Hand on what comes from @from; 0 when there is no more. */
static ssize_t hand_on(int from, int to)
{
	char buf[16384];
	ssize_t n = read(from, buf, sizeof(buf)), done, m;

	for (done = 0; done < n; done += m) {
		m = write(to, buf + done, n - done);
		if (m <= 0)
			return 0;
	}
	return n > 0 ? n : 0;
}

/* Until so many bytes came from @fd[counted], or one side ends. */
static void hand_on_both(const int fd[2], int counted, size_t most)
{
	struct pollfd fds[2] = { { fd[0], POLLIN, 0 }, { fd[1], POLLIN, 0 } };
	size_t came = 0;
	ssize_t n;
	int i;

	while (came < most && poll(fds, 2, -1) > 0) {
		for (i = 0; i < 2; i++) {
			if (!fds[i].revents)
				continue;
			n = hand_on(fd[i], fd[!i]);
			if (!n)
				return;
			came += i == counted ? n : 0;
		}
	}
}

/* Answer each request of a connection; bodies are as long as one read. */
static void answer_all(int client, const char *answer)
{
	char buf[16384], line[256];
	int len;

	len = snprintf(line, sizeof(line),
		       "HTTP/1.1 %s\r\nContent-Length: 0\r\n"
		       "Connection: close\r\n\r\n",
		       answer);
	if (read(client, buf, sizeof(buf)) > 0 &&
	    write(client, line, len) == len)
		shutdown(client, SHUT_WR);
	while (read(client, buf, sizeof(buf)) > 0)
		;
}

/* Handle connection number @number, which is @client, until one side ends. */
static void serve_one(const struct way *way, int client, int number,
		      struct sockaddr_in *at)
{
	int fd[2] = { client, -1 };
	bool bad = number <= way->bad;

	if (bad && way->answer) {
		answer_all(client, way->answer);
		return;
	}
	fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	if (!connect(fd[1], (struct sockaddr *)at, sizeof(*at)))
		hand_on_both(fd, !way->upward,
			     bad ? number * way->step : SIZE_MAX);
}

/* One process a connection: a client may keep one open and make another. */
static void serve(const struct way *way, int listener, struct sockaddr_in *at)
{
	pid_t proxy = getpid(), pid;
	int client, number;

	/* No child is waited for. */
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		client = accept(listener, NULL, NULL);
		if (client < 0)
			continue;
		number = atomic_fetch_add(way->connections, 1) + 1;
		pid = fork();
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() != proxy)
				_exit(0);
			close(listener);
			serve_one(way, client, number, at);
			_exit(0);
		}
		close(client);
	}
}

/**
 * way_open() - start a proxy
 * @way: What it does; out, where it is.
 * @b: The bucket, whose server runs.
 *
 * It dies with the thread that started it, and has none of the caller's
 * files open when this returns.
 *
 * Context: A test.
 * Return: 0 or a negative errno.
 */
int way_open(struct way *way, const struct bucket *b)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(at);

	way->connections = mmap(NULL, sizeof(*way->connections),
				PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (way->connections == MAP_FAILED ||
	    bind(listener, (struct sockaddr *)&at, len) ||
	    listen(listener, 8) ||
	    getsockname(listener, (struct sockaddr *)&at, &len))
		return -errno;
	way->port = ntohs(at.sin_port);
	way->pid = fork();
	if (!way->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		/*
		 * A store that its owner closes stays locked as long as this
		 * copy of its lock file is open: way_open() waits for the stop.
		 */
		dup2(listener, 3);
		close_range(4, ~0U, 0);
		raise(SIGSTOP);
		at.sin_port = htons(b->port);
		serve(way, 3, &at);
	}
	close(listener);
	if (way->pid < 0 || waitpid(way->pid, NULL, WUNTRACED) < 0 ||
	    kill(way->pid, SIGCONT))
		return -errno;
	return 0;
}

/**
 * way_close() - stop a proxy
 * @way: The proxy.
 *
 * Context: A test.
 */
void way_close(struct way *way)
{
	kill(way->pid, SIGKILL);
	waitpid(way->pid, NULL, 0);
	munmap(way->connections, sizeof(*way->connections));
}
