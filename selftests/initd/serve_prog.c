// SPDX-License-Identifier: GPL-2.0-only
/*
 * serve_prog ready: report that it is ready, then wait.
 * serve_prog answer: answer each call on the endpoint "calls" with its text.
 * serve_prog ask TEXT: call the endpoint "server", print the answer, wait.
 * serve_prog list: print the rights of "a" and "b", wait.
 */
#include <phi/phi.h>
#include <phi/service.h>
#include <phi/spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int find(const char *name, uint64_t *cap)
{
	int phi = phi_endowment(name, cap);

	if (phi < 0)
		printf("no capability %s\n", name);
	return phi;
}

static int answer(void)
{
	struct phi_msg_in in;
	struct phi_msg out;
	uint64_t calls;
	int phi = find("calls", &calls);
	int ret = phi < 0 ? phi : phi_service_ready(-1);

	while (!ret) {
		ret = phi_recv(phi, calls, &in, 0, 0);
		if (ret)
			break;
		out = (struct phi_msg){ .data = in.data, .len = in.len };
		ret = phi_reply(phi, in.reply, &out);
	}
	printf("answering ends: %d\n", ret);
	return 1;
}

static int ask(const char *text)
{
	struct phi_msg_in in;
	struct phi_msg out = { .data = text, .len = (uint32_t)strlen(text) };
	uint64_t server;
	int phi = find("server", &server);
	int ret;

	if (phi < 0)
		return 1;
	ret = phi_call(phi, server, &out, &in, 0, 0);
	if (ret)
		printf("call: %d\n", ret);
	else
		printf("answer %.*s\n", (int)in.len, (const char *)in.data);
	return ret ? 1 : 0;
}

static void list(const char *name)
{
	struct phi_cap_query query;
	uint64_t cap;
	int phi = find(name, &cap);

	if (phi >= 0 && !phi_cap_query(phi, cap, &query))
		printf("%s type %u rights %#x\n", name, query.type,
		       query.rights);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(what, "answer"))
		return answer();
	if (!strcmp(what, "ready")) {
		if (phi_service_tell("STATUS=all is well\nREADY=1") != 1)
			return 1;
	} else if (!strcmp(what, "ask") && argc > 2) {
		if (ask(argv[2]))
			return 1;
	} else if (!strcmp(what, "list")) {
		list("a");
		list("b");
	} else {
		return 2;
	}
	for (;;)
		pause();
}
