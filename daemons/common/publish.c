// SPDX-License-Identifier: GPL-2.0-only
/* Sealed tokens in files, by which clients find a daemon. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <phi/phi.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "publish.h"

static int token_path(const struct publish *p, const char *name,
		      const char *suffix, char *path, size_t room)
{
	int len = snprintf(path, room, "%s/%s.token%s", p->dir, name, suffix);

	return len < 0 || (size_t)len >= room ? -ENAMETOOLONG : 0;
}

static int write_token(const char *path, unsigned int mode,
		       const struct phi_token *token)
{
	int fd, ret = 0;

	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		  0600);
	if (fd < 0)
		return -errno;
	errno = 0;
	if (write(fd, token, sizeof(*token)) != sizeof(*token) ||
	    fchmod(fd, mode))
		ret = errno ? -errno : -EIO;
	close(fd);
	return ret;
}

/**
 * publish_set_audience() - say who may unseal what is published
 * @p: Settings to change.
 * @name: A user, or the number of one.
 *
 * Context: Main thread.
 * Return: 0, or -EINVAL when there is no such user.
 */
int publish_set_audience(struct publish *p, const char *name)
{
	struct passwd *pw = getpwnam(name);
	unsigned long uid;
	char *end;

	errno = 0;
	uid = strtoul(name, &end, 10);
	if (pw)
		uid = pw->pw_uid;
	else if (*name < '0' || *name > '9' || *end || errno || uid >= UINT_MAX)
		return -EINVAL;
	p->audience = (uint32_t)uid + 1;
	return 0;
}

/**
 * publish_set_mode() - say who may read what is published
 * @p: Settings to change.
 * @text: Octal.
 *
 * Context: Main thread.
 * Return: 0, or -EINVAL when that is no mode of a file.
 */
int publish_set_mode(struct publish *p, const char *text)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	p->mode = mode;
	return end == text || *end || mode > 0777 ? -EINVAL : 0;
}

/**
 * publish_token() - write a sealed token that clients may unseal
 * @p: Where to.
 * @phi: Cspace.
 * @cap: ENDPOINT or MODEL handle; the token gives SEND on it.
 * @name: File, without ".token". It appears whole.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int publish_token(const struct publish *p, int phi, uint64_t cap,
		  const char *name)
{
	char path[PATH_MAX], temp[PATH_MAX];
	struct phi_token token;
	int ret;

	ret = token_path(p, name, "", path, sizeof(path));
	if (!ret)
		ret = token_path(p, name, ".new", temp, sizeof(temp));
	if (!ret)
		ret = phi_cap_seal(phi, cap, PHI_RIGHT_SEND, p->audience, 0,
				   &token);
	if (!ret)
		ret = write_token(temp, p->mode, &token);
	if (!ret && rename(temp, path))
		ret = -errno;
	return ret;
}

/**
 * publish_remove() - remove a token
 * @p: Where it is, or is not.
 * @name: As published.
 *
 * Context: Any thread.
 */
void publish_remove(const struct publish *p, const char *name)
{
	char path[PATH_MAX];

	if (!token_path(p, name, "", path, sizeof(path)))
		unlink(path);
}
