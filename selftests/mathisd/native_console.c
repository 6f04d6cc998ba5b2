// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0010 to 0x0014: the console.
 */
#include <fcntl.h>
#include <kselftest_harness.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "dispatch.h"

FIXTURE(console)
{
	struct dispatch d;
};

FIXTURE_SETUP(console)
{
	ASSERT_TRUE(dispatch_init(&self->d));
}

FIXTURE_TEARDOWN(console)
{
	dispatch_fini(&self->d);
}

#define DO(...) CALL(&self->d, __VA_ARGS__)
#define TEXT(_text) result_is(_text)

static bool result_is(const char *text)
{
	return RESULT.n == strlen(text) && !memcmp(RESULT.text, text, RESULT.n);
}

TEST_F(console, prints_and_reads)
{
	int in[2], out[2], err[2];
	char data[64];

	ASSERT_EQ(0, pipe(in) | pipe(out) | pipe(err));
	self->d.session->console[0] = in[0];
	self->d.session->console[1] = out[1];
	self->d.session->console[2] = err[1];
	EXPECT_EQ(0, DO("io_print", STR("a")));
	EXPECT_EQ(0, DO("io_println", STR("b")));
	EXPECT_EQ(0, DO("io_eprint", STR("oops")));
	ASSERT_EQ(3, read(out[0], data, sizeof(data)));
	EXPECT_EQ(0, memcmp(data, "ab\n", 3));
	ASSERT_EQ(4, read(err[0], data, sizeof(data)));
	ASSERT_EQ(13, write(in[1], "one\ntwo\n\377\nend", 13));
	EXPECT_EQ(0, DO("io_input"));
	EXPECT_TRUE(TEXT("one"));
	EXPECT_EQ(0, DO("io_input_prompt", STR("? ")));
	EXPECT_TRUE(TEXT("two"));
	ASSERT_EQ(2, read(out[0], data, sizeof(data)));
	EXPECT_EQ(MATHIS_ENCODING, DO("io_input"));
	close(in[1]);
	EXPECT_EQ(0, DO("io_input"));
	EXPECT_TRUE(TEXT("end"));
	EXPECT_EQ(MATHIS_CLOSED, DO("io_input"));
	close(out[0]);
	signal(SIGPIPE, SIG_IGN);
	EXPECT_EQ(MATHIS_CLOSED, DO("io_print", STR("x")));
}

/* A pipe of one page, with @n bytes in it. */
static bool fill_pipe(int out[2], size_t n)
{
	char page[4096];

	memset(page, '.', n);
	return !pipe(out) && fcntl(out[1], F_SETPIPE_SZ, 4096) == 4096 &&
	       write(out[1], page, n) == (ssize_t)n;
}

/* Read @n bytes, which end with a text. */
static bool read_end(int fd, size_t n, const char *end)
{
	char *data = malloc(n);
	size_t len = strlen(end), at = 0;
	bool same;

	while (at < n) {
		ssize_t ret = read(fd, data + at, n - at);

		if (ret <= 0)
			abort();
		at += (size_t)ret;
	}
	same = !memcmp(data + n - len, end, len);
	free(data);
	return same;
}

TEST_F(console, a_full_pipe_blocks_its_texts_alone)
{
	char *big = calloc(1, 100001);
	struct md_call *calls[4];
	struct mathis_item args[4];
	int out[2], err[2];

	memset(big, 'b', 100000);
	args[0] = STR("one");
	args[1] = STR(big);
	args[2] = STR("two");
	args[3] = STR("end");
	ASSERT_TRUE(fill_pipe(out, 4096));
	ASSERT_EQ(0, pipe(err));
	self->d.session->console[1] = out[1];
	self->d.session->console[2] = err[1];
	for (int i = 0; i < 4; i++) {
		calls[i] = dispatch_begin(&self->d,
					  i % 2 ? "io_print" : "io_println",
					  &args[i], 1);
		EXPECT_EQ(MD_RUNS, calls[i]->state);
	}
	/* Neither the other stream nor who shares the pipe notices. */
	EXPECT_EQ(0, DO("io_eprint", STR("oops")));
	EXPECT_TRUE(read_end(err[0], 4, "oops"));
	EXPECT_EQ(0, fcntl(out[1], F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(0, md_session_cancel(self->d.session, calls[2]->ticket));
	EXPECT_EQ(MATHIS_CANCELLED, dispatch_wait(&self->d, calls[2]));
	/* Texts come in order. */
	EXPECT_TRUE(read_end(out[0], 4096 + 4 + 4, ".one\nbbbb"));
	EXPECT_EQ(0, dispatch_wait(&self->d, calls[0]));
	EXPECT_TRUE(read_end(out[0], 100000 - 4 + 3, "bbbbend"));
	EXPECT_EQ(0, dispatch_wait(&self->d, calls[1]));
	EXPECT_EQ(0, dispatch_wait(&self->d, calls[3]));
	for (int i = 0; i < 4; i++)
		md_call_put(calls[i]);
	free(big);
}

TEST_F(console, the_reader_of_a_full_pipe_goes)
{
	struct mathis_item x = STR("x");
	struct md_call *c;
	int out[2];

	signal(SIGPIPE, SIG_IGN);
	ASSERT_TRUE(fill_pipe(out, 4096));
	self->d.session->console[1] = out[1];
	c = dispatch_begin(&self->d, "io_print", &x, 1);
	close(out[0]);
	EXPECT_EQ(MATHIS_CLOSED, dispatch_wait(&self->d, c));
	md_call_put(c);
}

TEST_F(console, a_full_pipe_at_the_end_of_the_session)
{
	struct mathis_item x = STR("x");
	int out[2];

	ASSERT_TRUE(fill_pipe(out, 4096));
	self->d.session->console[1] = out[1];
	for (int i = 0; i < 9; i++)
		EXPECT_NE(NULL, dispatch_begin(&self->d, "io_print", &x, 1));
	self->d.session->call_ms = 1;
	EXPECT_EQ(MATHIS_TIMEOUT, DO("io_println", STR("late")));
	EXPECT_EQ(MATHIS_TIMEOUT, DO("io_input_prompt", STR("late")));
}

TEST_F(console, a_prompt_waits_behind_texts)
{
	struct mathis_item texts[] = { STR("x"), STR("? ") };
	struct md_call *print, *input;
	int in[2], out[2];

	ASSERT_TRUE(fill_pipe(out, 4096));
	ASSERT_EQ(0, pipe(in));
	self->d.session->console[0] = in[0];
	self->d.session->console[1] = out[1];
	print = dispatch_begin(&self->d, "io_print", &texts[0], 1);
	input = dispatch_begin(&self->d, "io_input_prompt", &texts[1], 1);
	ASSERT_EQ(2, write(in[1], "a\n", 2));
	EXPECT_TRUE(read_end(out[0], 4096 + 3, ".x? "));
	EXPECT_EQ(0, dispatch_wait(&self->d, print));
	EXPECT_EQ(0, dispatch_wait(&self->d, input));
	EXPECT_TRUE(mathis_item_is(&input->result, "a"));
	md_call_put(print);
	md_call_put(input);
}

TEST_F(console, console_is_a_socket)
{
	struct mathis_item x;
	struct md_call *c;
	char *big = calloc(1, 4000001);
	int out[2];

	memset(big, 's', 4000000);
	x = STR(big);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, out));
	self->d.session->console[1] = out[1];
	c = dispatch_begin(&self->d, "io_print", &x, 1);
	EXPECT_EQ(MD_RUNS, c->state);
	EXPECT_TRUE(read_end(out[0], 4000000, "ss"));
	EXPECT_EQ(0, dispatch_wait(&self->d, c));
	md_call_put(c);
	close(out[0]);
	EXPECT_EQ(MATHIS_CLOSED, DO("io_print", STR("x")));
	free(big);
}

TEST_F(console, a_line_has_a_limit)
{
	char *line = calloc(1, 65538);
	char path[128];
	FILE *f;

	memset(line, 'x', 65537);
	snprintf(path, sizeof(path), "%s/in", self->d.folder);
	f = fopen(path, "w");
	fwrite(line, 1, 65536, f);
	fputs("\n", f);
	fwrite(line, 1, 65537, f);
	fclose(f);
	free(line);
	self->d.session->console[0] = open(path, O_RDONLY);
	EXPECT_EQ(0, DO("io_input"));
	EXPECT_EQ(65536, RESULT.n);
	EXPECT_EQ(MATHIS_LIMIT, DO("io_input"));
}

TEST_HARNESS_MAIN
