/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls that mathisd makes: all but those of the console, which stay here. To
 * the machine they look as if they were served in this process.
 */
#ifndef MATHIS_REMOTE_H
#define MATHIS_REMOTE_H

struct md_session;
struct remote;

/*
 * Begin a session with mathisd, by the token in a file or NULL, and have it make
 * the calls of a session of this process, which gives up what that denies. 0 or
 * a negative errno, of which the reason was printed.
 */
int remote_open(struct md_session *session, const char *token,
		struct remote **remote);
/* End it, once the session has ended; takes NULL. */
void remote_close(struct remote *remote);

#endif
