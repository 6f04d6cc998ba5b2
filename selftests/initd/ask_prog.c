// SPDX-License-Identifier: GPL-2.0-only
/*
 * ask_prog - send the socket in PHI_INIT what no client sends, and print the
 * error that each request is answered with; 1 when there is no answer.
 *
 * ask_prog hold: make more connections than initd takes, print how many it
 * closes, and hold the others until there is no more input.
 */
#include <phi/init_wire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* More than initd takes. */
#define CLIENTS 40

static int reach(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", getenv("PHI_INIT"));
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at))) {
		perror("connect");
		exit(1);
	}
	return fd;
}

/* The error in the last packet. */
static int answer(int fd)
{
	struct phi_init_answer head;

	do {
		if (recv(fd, &head, sizeof(head), 0) < (ssize_t)sizeof(head))
			return 1;
	} while (head.packet != PHI_INIT_END);
	return head.error;
}

static int ask(const struct phi_init_request *request, size_t len)
{
	char packet[2 * sizeof(*request)] = "";
	int fd = reach();
	int ret = 1;

	memcpy(packet, request, sizeof(*request));
	if (send(fd, packet, len, MSG_NOSIGNAL) >= 0)
		ret = answer(fd);
	close(fd);
	return ret;
}

static void try(const char *what, const struct phi_init_request *request,
		size_t len)
{
	printf("%s %d\n", what, ask(request, len));
}

/* initd takes connections in their order: the first @n. */
static void fill(int fds[CLIENTS], int n)
{
	int refused = 0;
	char byte;
	int i;

	for (i = 0; i < CLIENTS; i++) {
		fds[i] = reach();
		if (i >= n)
			refused += !recv(fds[i], &byte, 1, 0);
	}
	printf("refused %d\n", refused);
	fflush(stdout);
}

/* Those that say nothing leave no room; when they go there is some again. */
static void crowd(const struct phi_init_request *request)
{
	int fds[CLIENTS];
	int i;

	fill(fds, 32);
	for (i = 0; i < CLIENTS; i++)
		close(fds[i]);
	/* It may take our connection before it sees that these have ended. */
	for (i = 0; i < 100 && ask(request, sizeof(*request)); i++)
		usleep(50000);
	printf("again %s\n", i < 100 ? "yes" : "no");
}

static int hold(void)
{
	int fds[CLIENTS];

	fill(fds, 30);
	while (getchar() != EOF)
		;
	return 0;
}

int main(int argc, char **argv)
{
	const struct phi_init_request good = { .size = sizeof(good),
					       .verb = PHI_INIT_LIST };
	struct phi_init_request r = good;

	if (argc > 1 && !strcmp(argv[1], "hold"))
		return hold();
	try("good", &r, sizeof(r));
	r.size++;
	try("size", &r, sizeof(r));
	r = good;
	r.verb = 0;
	try("verb", &r, sizeof(r));
	r.verb = PHI_INIT_LOGS + 1;
	try("verb", &r, sizeof(r));
	r = good;
	r.pad = 1;
	try("pad", &r, sizeof(r));
	r = good;
	r.lines = 1;
	try("lines", &r, sizeof(r));
	r = good;
	memset(r.name, 'a', sizeof(r.name));
	try("name", &r, sizeof(r));
	try("short", &good, sizeof(r) - 1);
	try("long", &good, sizeof(r) + 1);
	try("empty", &good, 0);
	r = good;
	r.verb = PHI_INIT_SHOW;
	r.agent = UINT64_MAX;
	try("agent", &r, sizeof(r));
	crowd(&good);
	return 0;
}
