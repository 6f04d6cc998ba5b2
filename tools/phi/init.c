// SPDX-License-Identifier: GPL-2.0-only
/* Services of initd, over its socket. */
#include <errno.h>
#include <phi/init_wire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli.h"
#include "out.h"
#include "out_tree.h"

/* Any packet of initd. */
union packet {
	struct phi_init_answer head;
	char room[sizeof(struct phi_init_answer) +
		  PHI_INIT_ROWS_MAX * sizeof(struct phi_init_row) +
		  PHI_INIT_LOG_MAX];
};

static int unreachable(int err, const char *path)
{
	const char *hint =
		err == -EACCES ?
			"root and the user of initd may ask it" :
			"start it: initd(8); PHI_INIT names its socket";

	return fail_because(hint, strerror(-err), "reach initd at %s", path);
}

/* Send a request. Return: The connection, or -1 with the reason said. */
static int ask(const struct phi_init_request *request)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const char *path = getenv("PHI_INIT") ?: PHI_INIT_SOCKET;
	int ret = 0;
	int fd;

	if (strlen(path) >= sizeof(at.sun_path)) {
		unreachable(-ENAMETOOLONG, path);
		return -1;
	}
	memcpy(at.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) ||
	    send(fd, request, sizeof(*request), MSG_NOSIGNAL) < 0)
		ret = -errno;
	if (!ret)
		return fd;
	if (fd >= 0)
		close(fd);
	unreachable(ret, path);
	return -1;
}

/* Is it as long as it says? */
static bool packet_valid(const union packet *p, ssize_t n)
{
	size_t rest = (size_t)n - sizeof(p->head);

	if (n < (ssize_t)sizeof(p->head))
		return false;
	switch (p->head.packet) {
	case PHI_INIT_ROWS:
		return rest == p->head.count * sizeof(struct phi_init_row);
	case PHI_INIT_TEXT:
		return rest == p->head.count;
	default:
		return p->head.packet == PHI_INIT_END && !rest;
	}
}

/* Take packets until the last one. Return: Its error, or that of reading. */
static int answers(int fd, void (*each)(const union packet *p))
{
	union packet p;
	ssize_t n;

	for (;;) {
		do {
			n = recv(fd, &p, sizeof(p), 0);
		} while (n < 0 && errno == EINTR);
		if (n <= 0)
			return n ? -errno : -EPIPE;
		if (!packet_valid(&p, n))
			return -EPROTO;
		if (p.head.packet == PHI_INIT_END)
			return p.head.error;
		each(&p);
	}
}

static const char *state_text(uint32_t state)
{
	static const char *const names[] = {
		[PHI_INIT_DOWN] = "down",
		[PHI_INIT_STARTING] = "starting",
		[PHI_INIT_UP] = "up",
		[PHI_INIT_DONE] = "done",
		[PHI_INIT_STOPPING] = "stopping",
		[PHI_INIT_BACKOFF] = "backoff",
		[PHI_INIT_FAILED] = "failed",
	};

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

static void row_fields(const struct phi_init_row *row)
{
	char name[PHI_INIT_NAME_MAX];

	snprintf(name, sizeof(name), "%.*s", (int)sizeof(name) - 1, row->name);
	out_str("service", name);
	out_str("state", state_text(row->state));
	out_i64("pid", row->pid);
	out_u64("agent", row->agent);
	out_u64("restarts", row->restarts);
	out_i64("status", row->status);
	out_ns("since_ns", row->since_ns);
}

static const struct phi_init_row *row_of(const union packet *p, uint32_t i)
{
	return (const void *)(p->room + sizeof(p->head) +
			      i * sizeof(struct phi_init_row));
}

static void list_rows(const union packet *p)
{
	uint32_t i;

	for (i = 0; i < p->head.count; i++) {
		out_row();
		row_fields(row_of(p, i));
		out_close();
	}
}

static void show_row(const union packet *p)
{
	const struct phi_init_row *row = row_of(p, 0);

	if (p->head.packet != PHI_INIT_ROWS || !p->head.count)
		return;
	row_fields(row);
	out_bool("wanted", row->wanted);
	out_ns("next_ns", row->next_ns);
	out_str("text", row->text);
	out_str("description", row->description);
}

/* A log as it came, NUL-terminated, and its length. */
static char *log_text;
static size_t log_len;

static void keep_text(const union packet *p)
{
	char *more;

	if (p->head.packet != PHI_INIT_TEXT)
		return;
	more = must(realloc(log_text, log_len + p->head.count + 1));
	memcpy(more + log_len, p->room + sizeof(p->head), p->head.count);
	log_len += p->head.count;
	more[log_len] = '\0';
	log_text = more;
}

/* A service does not drive the reader's terminal. */
static int print_log(void)
{
	char *line, *at;
	size_t i;

	for (i = 0; i < log_len; i++) {
		unsigned char c = (unsigned char)log_text[i];

		if ((c < ' ' && c != '\n' && c != '\t') || c == 127)
			log_text[i] = '?';
	}
	if (!out_json) {
		fwrite(log_text ?: "", 1, log_len, stdout);
		free(log_text);
		return EXIT_OK;
	}
	out_table("lines", "");
	for (line = log_text ? strtok_r(log_text, "\n", &at) : NULL; line;
	     line = strtok_r(NULL, "\n", &at)) {
		out_row();
		out_str("line", line);
		out_close();
	}
	out_close();
	free(log_text);
	return out_end();
}

static int init_list(struct args *args)
{
	struct phi_init_request request = { .size = sizeof(request),
					    .verb = PHI_INIT_LIST };
	int fd = ask(&request);
	int ret;

	(void)args;
	if (fd < 0)
		return EXIT_FAILED;
	out_table("services", "none; initd.service(5) says how they are made");
	ret = answers(fd, list_rows);
	out_close();
	close(fd);
	return ret ? fail(ret, "list the services") : out_end();
}

/* The reason in words where the errno has another meaning elsewhere. */
static int say_why(int err, const char *what, const char *name)
{
	switch (err) {
	case -ENOENT:
		return fail_because("phi init list names them",
				    "there is no such service", "%s %s", what,
				    name);
	case -EHOSTDOWN:
		return fail_because("phi init show and phi init logs say more",
				    "it has ended", "%s %s", what, name);
	case -ESHUTDOWN:
		return fail_because(NULL, "initd is stopping", "%s %s", what,
				    name);
	case -ECANCELED:
		return fail_because(NULL, "it was stopped meanwhile", "%s %s",
				    what, name);
	}
	return fail(err, "%s %s", what, name);
}

static int set_name(struct args *args, struct phi_init_request *request)
{
	const char *name = args->operand[0];

	if (!*name || strlen(name) >= sizeof(request->name))
		return usage_error(args, "'%s' is no name of a service", name);
	memcpy(request->name, name, strlen(name));
	return EXIT_OK;
}

/* Do something to one service, and show it. */
static int one(struct args *args, uint32_t verb)
{
	struct phi_init_request request = { .size = sizeof(request),
					    .verb = verb };
	int fd, ret;

	if (set_name(args, &request))
		return EXIT_USAGE;
	fd = ask(&request);
	if (fd < 0)
		return EXIT_FAILED;
	ret = answers(fd, show_row);
	close(fd);
	if (ret)
		return say_why(ret, args->verb->name, args->operand[0]);
	return out_end();
}

static int init_show(struct args *args)
{
	return one(args, PHI_INIT_SHOW);
}

static int init_start(struct args *args)
{
	return one(args, PHI_INIT_START);
}

static int init_stop(struct args *args)
{
	return one(args, PHI_INIT_STOP);
}

static int init_restart(struct args *args)
{
	return one(args, PHI_INIT_RESTART);
}

int init_logs_of(struct args *args, struct phi_init_request *request)
{
	int fd, ret;

	request->size = sizeof(*request);
	request->verb = PHI_INIT_LOGS;
	if (option_u32(args, "lines", UINT32_MAX, &request->lines))
		return EXIT_USAGE;
	fd = ask(request);
	if (fd < 0)
		return EXIT_FAILED;
	ret = answers(fd, keep_text);
	close(fd);
	if (ret)
		return say_why(ret, "read the log of", args->operand[0]);
	return print_log();
}

static int init_logs(struct args *args)
{
	struct phi_init_request request = { 0 };

	if (set_name(args, &request))
		return EXIT_USAGE;
	return init_logs_of(args, &request);
}

static const struct verb verbs[] = {
	{ "list", init_list, "", "list the services", 0 },
	{ "show", init_show, "SERVICE", "show a service", 0 },
	{ "start", init_start, "SERVICE",
	  "start a service and those that it requires; wait until it is ready",
	  0 },
	{ "stop", init_stop, "SERVICE",
	  "stop a service after those that require it; wait until it has ended",
	  0 },
	{ "restart", init_restart, "SERVICE",
	  "stop and start a service; wait until it is ready", 0 },
	{ "logs", init_logs, "SERVICE [--lines N]",
	  "print the last lines that a service has written", 0 },
	{ 0 },
};

const struct noun init_noun = {
	.name = "init",
	.help = "services that initd keeps running",
	.verbs = verbs,
};
