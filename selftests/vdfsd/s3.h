/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_VDFSD_S3_H
#define SELFTESTS_VDFSD_S3_H

#include <sys/types.h>

/**
 * struct bucket - a bucket, and a server that has it
 * @dir: Where it keeps all it has.
 * @pid: The server; 0 while it is stopped.
 * @port: On the loopback.
 * @tls_port: With TLS, for localhost by name; 0 = not.
 * @url: Of the bucket.
 * @credentials: File that lets in whoever has it.
 * @ca: Certificate that the server's comes from, with TLS.
 */
struct bucket {
	char dir[64];
	pid_t pid;
	unsigned int port;
	unsigned int tls_port;
	char url[128];
	char credentials[128];
	char ca[128];
};

#define BUCKET_SECRET "h7GhxuBLTrlhVUyxSPUKUV8rX2EI4ngqJxD7iBdB"

int bucket_make(struct bucket *b);
int bucket_make_tls(struct bucket *b);
int bucket_start(struct bucket *b);
void bucket_stop(struct bucket *b);
void bucket_remove(struct bucket *b);
/* As curl would: METHOD, key, and what to send, or NULL. */
int bucket_do(struct bucket *b, const char *method, const char *key,
	      const char *body);

#endif /* SELFTESTS_VDFSD_S3_H */
