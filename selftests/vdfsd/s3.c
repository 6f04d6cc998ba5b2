// SPDX-License-Identifier: GPL-2.0-only
/* A server of S3 to test with: radosgw, which keeps all in SQLite. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "s3.h"

#define KEY "0555b35654ad1656d804"
#define STARTS 3000 /* tenths of a second; emulated processors take theirs */

static int loopback(unsigned int port, bool listens, struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*at);
	int bad;

	memset(at, 0, sizeof(*at));
	at->sin_family = AF_INET;
	at->sin_port = htons(port);
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bad = listens ? bind(fd, (struct sockaddr *)at, sizeof(*at)) :
			connect(fd, (struct sockaddr *)at, sizeof(*at));
	if (!bad)
		bad = getsockname(fd, (struct sockaddr *)at, &len);
	close(fd);
	return bad ? -errno : 0;
}

/*
 * The tool may hang when it is done, or before: what it says counts. So it has
 * little time at first, and more when it is tried again.
 */
static int make_user(struct bucket *b)
{
	int tenths = getenv("PHI_GUEST") ? 1800 : 100;
	char line[1536];

	snprintf(line, sizeof(line),
		 "cd %s && echo '[client]' >conf && for i in 1 4 10; do\n"
		 "radosgw-admin -c conf -n client.rgw \\\n"
		 "--no-mon-config --rgw-backend-store=dbstore \\\n"
		 "--rgw-config-store=dbstore --dbstore-db-dir=%s \\\n"
		 "--dbstore-config-uri=file:%s/config.db --rgw-data=%s \\\n"
		 "--run-dir=%s --admin-socket= --log-file=log \\\n"
		 "user create --uid=test --display-name=test \\\n"
		 "--access-key=%s --secret-key=%s >user 2>&1 & pid=$!\n"
		 "for t in $(seq $((i * %d))); do\n"
		 "grep -q '\"access_key\"' user && break; sleep 0.1; done\n"
		 "sleep 0.2; kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null\n"
		 "grep -q '\"access_key\"' user && exit 0\n"
		 "done; cat user; exit 1\n",
		 b->dir, b->dir, b->dir, b->dir, b->dir, KEY, BUCKET_SECRET,
		 tenths);
	return system(line) ? -EIO : 0;
}

static void become_server(struct bucket *b, const char *options[16])
{
	char file[96];
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(file, sizeof(file), "%s/out", b->dir);
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	execvp("radosgw", (char *const *)options);
	_exit(127);
}

/**
 * bucket_start() - start a server
 * @b: The bucket, whose server does not run.
 *
 * It dies with who started it.
 *
 * Context: A test.
 * Return: 0 or a negative errno.
 */
int bucket_start(struct bucket *b)
{
	char text[7][512];
	size_t room = sizeof(text[0]);
	const char *options[16] = { "radosgw",
				    "-f",
				    "-n",
				    "client.rgw",
				    "--no-mon-config",
				    "--rgw-backend-store=dbstore",
				    "--rgw-config-store=dbstore",
				    "--admin-socket=" };
	struct timespec tenth = { .tv_nsec = 100000000 };
	struct sockaddr_in at;
	int i, n, err = -ETIMEDOUT;

	snprintf(text[0], room, "--conf=%s/conf", b->dir);
	snprintf(text[1], room, "--dbstore-db-dir=%s", b->dir);
	snprintf(text[2], room, "--dbstore-config-uri=file:%s/config.db",
		 b->dir);
	snprintf(text[3], room, "--rgw-data=%s", b->dir);
	snprintf(text[4], room, "--run-dir=%s", b->dir);
	snprintf(text[5], room, "--log-file=%s/log", b->dir);
	n = snprintf(text[6], room,
		     "--rgw-frontends=beast endpoint=127.0.0.1:%u", b->port);
	if (b->tls_port)
		n += snprintf(text[6] + n, room - n,
			      " ssl_endpoint=127.0.0.1:%u", b->tls_port);
	if (b->tls_port)
		snprintf(text[6] + n, room - n,
			 " ssl_certificate=%s/cert ssl_private_key=%s/key",
			 b->dir, b->dir);
	for (i = 0; i < 7; i++)
		options[8 + i] = text[i];
	b->pid = fork();
	if (!b->pid)
		become_server(b, options);
	for (i = 0; err && i < STARTS && !waitpid(b->pid, NULL, WNOHANG); i++) {
		nanosleep(&tenth, NULL);
		err = loopback(b->port, false, &at);
		if (!err && b->tls_port)
			err = loopback(b->tls_port, false, &at);
	}
	return err;
}

/**
 * bucket_stop() - stop a server, as a crash would
 * @b: The bucket.
 *
 * Context: A test.
 */
void bucket_stop(struct bucket *b)
{
	if (b->pid > 0) {
		kill(b->pid, SIGKILL);
		waitpid(b->pid, NULL, 0);
	}
	b->pid = 0;
}

/**
 * bucket_do() - do something in a bucket behind the client's back
 * @b: The bucket.
 * @method: Of HTTP.
 * @key: Of an object; "" = of the bucket.
 * @body: To send, or NULL.
 *
 * Context: A test.
 * Return: 0, or something else when the server did not agree.
 */
int bucket_do(struct bucket *b, const char *method, const char *key,
	      const char *body)
{
	char line[4096];

	snprintf(line, sizeof(line),
		 "printf %%s '%s' | curl -sS -f -o /dev/null --max-time 30 \\\n"
		 "--aws-sigv4 aws:amz:us-east-1:s3 --user %s:%s \\\n"
		 "%s -X %s http://127.0.0.1:%u/bucket/%s\n",
		 body ? body : "", KEY, BUCKET_SECRET, body ? "-T -" : "",
		 method, b->port, key);
	return system(line);
}

/* A CA, a certificate by it for localhost, and another CA, "other". */
static int make_certificates(struct bucket *b)
{
	char line[1024];

	snprintf(
		line, sizeof(line),
		"cd %s && exec >openssl 2>&1 || exit\n"
		"new='req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'\n"
		"openssl $new -x509 -keyout cakey -out ca -subj /CN=a -days 2 &&\n"
		"openssl $new -x509 -keyout o -out other -subj /CN=b -days 2 &&\n"
		"openssl $new -keyout key -out ask -subj /CN=c &&\n"
		"echo subjectAltName=DNS:localhost >names &&\n"
		"openssl x509 -req -in ask -CA ca -CAkey cakey -days 2 \\\n"
		"-extfile names -out cert\n",
		b->dir);
	snprintf(b->ca, sizeof(b->ca), "%s/ca", b->dir);
	return system(line) ? -EIO : 0;
}

static int free_port(unsigned int *port)
{
	struct sockaddr_in at;
	int err = loopback(0, true, &at);

	*port = ntohs(at.sin_port);
	return err;
}

static int make(struct bucket *b, bool tls)
{
	FILE *file;
	int err;

	memset(b, 0, sizeof(*b));
	snprintf(b->dir, sizeof(b->dir), "/tmp/vdfs-s3-XXXXXX");
	if (!mkdtemp(b->dir))
		return -errno;
	err = free_port(&b->port);
	if (!err && tls)
		err = free_port(&b->tls_port);
	if (!err && tls)
		err = make_certificates(b);
	if (err)
		return err;
	snprintf(b->url, sizeof(b->url), "s3://%s:%u/bucket/some/prefix",
		 tls ? "localhost" : "127.0.0.1", tls ? b->tls_port : b->port);
	snprintf(b->credentials, sizeof(b->credentials), "%s/credentials",
		 b->dir);
	umask(077);
	file = fopen(b->credentials, "w");
	if (!file)
		return -errno;
	fprintf(file,
		"[default]\naws_access_key_id = %s\n"
		"aws_secret_access_key=%s\n",
		KEY, BUCKET_SECRET);
	if (fclose(file))
		return -EIO;
	err = make_user(b);
	if (!err)
		err = bucket_start(b);
	if (!err && bucket_do(b, "PUT", "", NULL))
		err = -EIO;
	return err;
}

/**
 * bucket_make() - make a bucket and start its server
 * @b: The bucket.
 *
 * Context: A test.
 * Return: 0 or a negative errno.
 */
int bucket_make(struct bucket *b)
{
	return make(b, false);
}

/**
 * bucket_make_tls() - make a bucket and start its server, with TLS too
 * @b: The bucket, whose URL is with TLS.
 *
 * Context: A test.
 * Return: 0 or a negative errno.
 */
int bucket_make_tls(struct bucket *b)
{
	return make(b, true);
}

/**
 * bucket_remove() - stop the server of a bucket and delete what it has
 * @b: The bucket.
 *
 * Context: A test.
 */
void bucket_remove(struct bucket *b)
{
	char line[128];

	bucket_stop(b);
	snprintf(line, sizeof(line), "rm -rf %s", b->dir);
	if (*b->dir && system(line))
		perror(line);
}
