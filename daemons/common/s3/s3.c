// SPDX-License-Identifier: GPL-2.0-only
/* A bucket: its address, and who asks. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "s3_impl.h"

#define CREDENTIALS_MAX 16384

/**
 * vdfs_s3_say() - tell what failed
 * @s3: The bucket.
 * @format: As for printf(), without a newline.
 *
 * Context: Any thread.
 */
void vdfs_s3_say(struct vdfs_s3 *s3, const char *format, ...)
{
	char line[512];
	va_list args;

	if (!s3->options.say)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	s3->options.say(s3->options.arg, line);
}

static void wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

/* Whether text consists of letters, digits and these. */
static bool is_made_of(const char *text, size_t len, const char *also)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && !strchr(also, text[i]))
			return false;
	}
	return len;
}

static int parse_url(struct vdfs_s3 *s3, const char *url)
{
	const char *host, *bucket, *prefix;
	size_t host_len, bucket_len, prefix_len;

	if (strncmp(url, "s3://", 5))
		return -EINVAL;
	host = url + 5;
	host_len = strcspn(host, "/");
	bucket = host + host_len + !!host[host_len];
	bucket_len = strcspn(bucket, "/");
	prefix = bucket + bucket_len + !!bucket[bucket_len];
	prefix_len = strlen(prefix);
	while (prefix_len && prefix[prefix_len - 1] == '/')
		prefix_len--;
	if (!is_made_of(host, host_len, ".-:[]") ||
	    !is_made_of(bucket, bucket_len, ".-_") ||
	    (prefix_len &&
	     (!is_made_of(prefix, prefix_len, ".-_/") || *prefix == '/')))
		return -EINVAL;
	if (asprintf(&s3->base, "%s://%.*s/%.*s/",
		     s3->options.http ? "http" : "https", (int)host_len, host,
		     (int)bucket_len, bucket) < 0)
		s3->base = NULL;
	s3->bucket = strndup(bucket, bucket_len);
	if (asprintf(&s3->prefix, "%.*s%s", (int)prefix_len, prefix,
		     prefix_len ? "/" : "") < 0)
		s3->prefix = NULL;
	return s3->base && s3->bucket && s3->prefix ? 0 : -ENOMEM;
}

static int read_secret(struct vdfs_s3 *s3, const char *path, char *buf)
{
	struct stat st;
	ssize_t n = 0;
	int fd, err = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st)) {
		err = -errno;
	} else if (!S_ISREG(st.st_mode) || st.st_mode & 0007) {
		vdfs_s3_say(s3, "%s: others may use it; chmod 600 it", path);
		err = -EPERM;
	} else {
		n = read(fd, buf, CREDENTIALS_MAX - 1);
		err = n < 0 ? -errno : 0;
	}
	if (fd >= 0)
		close(fd);
	if (err && err != -EPERM)
		vdfs_s3_say(s3, "cannot read the credentials %s: %s", path,
			    strerror(-err));
	buf[err ? 0 : n] = '\0';
	return err;
}

/* The value of a line "NAME = VALUE", with or without "aws_" before it. */
static char *setting(char *text, const char *name)
{
	char *line, *save = NULL, *copy = strdup(text), *value = NULL;
	size_t n = strlen(name), len;

	for (line = copy ? strtok_r(copy, "\r\n", &save) : NULL; line && !value;
	     line = strtok_r(NULL, "\r\n", &save)) {
		line += strspn(line, " \t");
		line += strncmp(line, "aws_", 4) ? 0 : 4;
		if (strncmp(line, name, n))
			continue;
		line += n + strspn(line + n, " \t");
		if (*line != '=')
			continue;
		line += 1 + strspn(line + 1, " \t");
		len = strlen(line);
		while (len && isspace((unsigned char)line[len - 1]))
			len--;
		value = len ? strndup(line, len) : NULL;
	}
	if (copy)
		explicit_bzero(copy, strlen(text));
	free(copy);
	return value;
}

static int take_settings(struct vdfs_s3 *s3, char *text, const char *region)
{
	char *key = setting(text, "access_key_id");
	char *secret = setting(text, "secret_access_key");
	char *token = setting(text, "session_token");
	char *place = region ? strdup(region) : setting(text, "region");
	int err = key && secret ? 0 : -EINVAL;

	if (!err && asprintf(&s3->user, "%s:%s", key, secret) < 0)
		err = -ENOMEM;
	if (!err && token &&
	    asprintf(&s3->token, "x-amz-security-token: %s", token) < 0)
		err = -ENOMEM;
	if (!err && asprintf(&s3->sign, "aws:amz:%s:s3",
			     place ? place : "us-east-1") < 0)
		err = -ENOMEM;
	wipe(key);
	wipe(secret);
	wipe(token);
	free(place);
	return err;
}

/**
 * vdfs_s3_credentials() - learn who asks
 * @s3: The bucket.
 * @path: File; NULL = systemd's.
 * @region: Or NULL.
 *
 * Context: Before the first request.
 * Return: 0, -EPERM when others may read the file, -EINVAL when something is
 * missing in it, or another negative errno.
 */
int vdfs_s3_credentials(struct vdfs_s3 *s3, const char *path,
			const char *region)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char text[CREDENTIALS_MAX], *own = NULL;
	int err;

	if (!path && (!dir || asprintf(&own, "%s/s3", dir) < 0)) {
		vdfs_s3_say(s3, "no credentials: name a file that has them");
		return -EINVAL;
	}
	err = read_secret(s3, path ? path : own, text);
	if (!err) {
		err = take_settings(s3, text, region);
		if (err == -EINVAL)
			vdfs_s3_say(
				s3,
				"%s: needs lines access_key_id = ... and secret_access_key = ...",
				path ? path : own);
	}
	explicit_bzero(text, sizeof(text));
	free(own);
	return err;
}

/* Said now, rather than as a connection that cannot be made. */
static int take_ca(struct vdfs_s3 *s3, const char *path)
{
	int err;

	if (!path)
		return 0;
	if (access(path, R_OK)) {
		err = -errno;
		vdfs_s3_say(s3, "cannot read the certificates %s: %s", path,
			    strerror(-err));
		return err;
	}
	s3->ca = strdup(path);
	return s3->ca ? 0 : -ENOMEM;
}

/**
 * vdfs_s3_open() - prepare to use a bucket
 * @options: How it is reached.
 * @out: The bucket; vdfs_s3_close() it.
 *
 * Asks the server nothing yet.
 *
 * Context: Before other threads use libcurl for the first time.
 * Return: 0, -EINVAL when the URL or the credentials are not well formed, or
 * another negative errno.
 */
int vdfs_s3_open(const struct vdfs_s3_options *options, struct vdfs_s3 **out)
{
	struct vdfs_s3 *s3 = calloc(1, sizeof(*s3));
	int err;

	if (!s3)
		return -ENOMEM;
	s3->options = *options;
	s3->options.connect_ms = options->connect_ms ?: 10000;
	s3->options.stall_s = options->stall_s ?: 30;
	s3->options.answer_s = options->answer_s ?: 20;
	s3->options.tries = options->tries ?: 5;
	s3->proxy = strdup(options->proxy ? options->proxy : "");
	s3->seed = time(NULL) ^ getpid();
	pthread_mutex_init(&s3->lock, NULL);
	err = curl_global_init(CURL_GLOBAL_DEFAULT) || !s3->proxy ? -ENOMEM : 0;
	if (!err)
		err = parse_url(s3, options->url);
	/* One with keys in it is not to be logged. */
	if (err == -EINVAL)
		vdfs_s3_say(s3, "%s: not s3://HOST[:PORT]/BUCKET[/PREFIX]",
			    strchr(options->url, '@') ? "the URL" :
							options->url);
	if (!err)
		err = take_ca(s3, options->ca);
	if (!err)
		err = vdfs_s3_credentials(s3, options->credentials,
					  options->region);
	if (err) {
		vdfs_s3_close(s3);
		return err;
	}
	*out = s3;
	return 0;
}

/**
 * vdfs_s3_close() - be done with a bucket
 * @s3: NULL is nothing to do.
 *
 * Context: After its last user.
 */
void vdfs_s3_close(struct vdfs_s3 *s3)
{
	if (!s3)
		return;
	while (s3->n_idle)
		curl_easy_cleanup(s3->idle[--s3->n_idle]);
	pthread_mutex_destroy(&s3->lock);
	wipe(s3->user);
	wipe(s3->token);
	free(s3->sign);
	free(s3->ca);
	wipe(s3->proxy);
	free(s3->base);
	free(s3->bucket);
	free(s3->prefix);
	free(s3);
}
