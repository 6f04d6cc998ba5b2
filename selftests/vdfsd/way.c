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
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "s3.h"
#include "way.h"

#define BUFFER 16384

static bool write_all(int fd, const char *data, size_t len)
{
	ssize_t n;

	for (; len; data += n, len -= n) {
		n = write(fd, data, len);
		if (n <= 0)
			return false;
	}
	return true;
}

/* Change what a server says, by what is as long. */
static void edit(const struct way *way, char *data, size_t len)
{
	size_t n = way->from ? strlen(way->from) : 0;
	char *at;

	while (n && (at = memmem(data, len, way->from, n))) {
		memcpy(at, way->to, n);
		len -= at + n - data;
		data = at + n;
	}
}

/* Hand on what comes from @from; 0 when there is no more. */
static ssize_t hand_on(int from, int to, const struct way *editor)
{
	struct timespec tenth = { .tv_nsec = 100000000 };
	char buf[BUFFER];
	ssize_t n = read(from, buf, sizeof(buf));

	if (n <= 0)
		return 0;
	while (editor && editor->hold && !atomic_load(&editor->state->quiet))
		nanosleep(&tenth, NULL);
	if (editor)
		edit(editor, buf, n);
	return write_all(to, buf, n) ? n : 0;
}

/* Until so many bytes came from @fd[counted], or one side ends. */
static void hand_on_both(const struct way *way, const int fd[2], int counted,
			 size_t most)
{
	struct pollfd fds[2] = { { fd[0], POLLIN, 0 }, { fd[1], POLLIN, 0 } };
	size_t came = 0;
	ssize_t n;
	int i;

	while (came < most && poll(fds, 2, -1) > 0) {
		for (i = 0; i < 2; i++) {
			if (!fds[i].revents)
				continue;
			n = hand_on(fd[i], fd[!i], i ? way : NULL);
			if (!n)
				return;
			came += i == counted ? n : 0;
		}
	}
}

static void say_date(FILE *out, time_t at)
{
	char text[64];
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	fputs(text, out);
}

/* The bytes of a reply to connection number @number; to be freed. */
static char *make_reply(const struct way *way, int number, size_t *len)
{
	const char *c = way->reply;
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	if (way->answer)
		fprintf(out,
			"HTTP/1.1 %s\r\nContent-Length: 0\r\n"
			"Connection: close\r\n\r\n",
			way->answer);
	for (; c && *c; c++) {
		if (*c != '%')
			fputc(*c, out);
		else if (*++c == 'D')
			say_date(out, time(NULL));
		else if (*c == 'O')
			say_date(out, time(NULL) - 3600);
		else if (*c == 'N')
			fprintf(out, "%08d", number);
		else
			fputc('%', out);
	}
	return fclose(out) ? NULL : text;
}

/* Answer a connection, and read what else comes until its client ends. */
static void answer_it(const struct way *way, int client, int number)
{
	struct timespec tenth = { .tv_nsec = 100000000 };
	char buf[BUFFER], *text;
	size_t len;

	text = make_reply(way, number, &len);
	if (!text || !write_all(client, text, len))
		return;
	free(text);
	while (way->drip && write_all(client, "x", 1))
		nanosleep(&tenth, NULL);
	shutdown(client, SHUT_WR);
	while (read(client, buf, sizeof(buf)) > 0)
		;
}

/* What a client says up to the end of a head, or as much as there is. */
static size_t read_head(int client, char buf[BUFFER])
{
	size_t len = 0;
	ssize_t n = 1;

	buf[0] = '\0';
	while (n > 0 && len + 1 < BUFFER && !strstr(buf, "\r\n\r\n")) {
		n = read(client, buf + len, BUFFER - 1 - len);
		len += n > 0 ? n : 0;
		buf[len] = '\0';
	}
	return len;
}

static bool matches(const struct way *way, const char *head)
{
	const char *at = way->match ? strstr(head, way->match) : head;

	return at && at <= head + strcspn(head, "\r");
}

/* Hand on a head that was read; the server is to close when it has answered. */
static bool send_head(const struct way *way, int server, const char *head,
		      size_t len)
{
	static const char ending[] = "Connection: close\r\n";
	size_t line = strcspn(head, "\r") + 2;

	if (!way->match && !way->from)
		return write_all(server, head, len);
	return line < len && write_all(server, head, line) &&
	       write_all(server, ending, strlen(ending)) &&
	       write_all(server, head + line, len - line);
}

/* Handle connection number @number, which is @client, until one side ends. */
static void serve_one(const struct way *way, int client, int number,
		      struct sockaddr_in *at)
{
	bool bad = number <= way->bad && !atomic_load(&way->state->quiet);
	struct way plain = { .match = way->match };
	int fd[2] = { client, -1 };
	char head[BUFFER];
	size_t len;

	/* The client says something first, always. */
	len = read_head(client, head);
	bad = bad && matches(way, head) &&
	      (!way->most || atomic_load(&way->state->disturbed) < way->most);
	if (bad)
		atomic_fetch_add(&way->state->disturbed, 1);
	if (bad && (way->answer || way->reply)) {
		answer_it(way, client, number);
		return;
	}
	fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	if (!connect(fd[1], (struct sockaddr *)at, sizeof(*at)) &&
	    send_head(way, fd[1], head, len))
		hand_on_both(bad ? way : &plain, fd, !way->upward,
			     bad && way->step ? number * way->step : SIZE_MAX);
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
		number = atomic_fetch_add(&way->state->connections, 1) + 1;
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

	way->state = mmap(NULL, sizeof(*way->state), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (way->state == MAP_FAILED ||
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
	munmap(way->state, sizeof(*way->state));
}
