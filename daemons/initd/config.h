/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef INITD_CONFIG_H
#define INITD_CONFIG_H

#include <phi/init_wire.h>
#include <phi/spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Services of one initd. */
#define INIT_SERVICES_MAX 256
/* Services that one comes after. */
#define INIT_AFTER_MAX 16
/* Words of a command, and variables of an environment. */
#define INIT_WORDS_MAX 64
/* Bytes of a service's file. */
#define INIT_FILE_MAX 65536
/* Ending of the names of the files. */
#define INIT_SUFFIX ".service"

/**
 * enum init_type - when a service counts as started
 * @INIT_SIMPLE: As soon as its program is executed.
 * @INIT_NOTIFY: When its process has sent READY=1 to NOTIFY_SOCKET.
 * @INIT_ONESHOT: When its process has ended with status 0.
 */
enum init_type {
	INIT_SIMPLE,
	INIT_NOTIFY,
	INIT_ONESHOT,
};

/**
 * enum init_restart - which ends of a service start it again
 * @INIT_NEVER: None.
 * @INIT_ON_FAILURE: A status other than 0, a signal, or a timeout.
 * @INIT_ALWAYS: Every end that nobody asked for.
 */
enum init_restart {
	INIT_NEVER,
	INIT_ON_FAILURE,
	INIT_ALWAYS,
};

/**
 * struct init_after - a service that has to be up first
 * @name: Its name.
 * @needed: Requires=: without it this one does not start.
 */
struct init_after {
	char name[PHI_INIT_NAME_MAX];
	bool needed;
};

/**
 * struct init_cap - a capability that a service starts with
 * @name: Its name there.
 * @type: PHI_TYPE_ENDPOINT, PHI_TYPE_NOTIFY or PHI_TYPE_MEMORY; 0 for a token.
 * @object: Name of the object, which all services of an initd share; path of
 *          the token.
 * @bytes: Size of a MEMORY object.
 * @rights: PHI_RIGHT_*; 0 = all that the token gives.
 */
struct init_cap {
	char *name;
	uint32_t type;
	char *object;
	uint64_t bytes;
	uint32_t rights;
};

/* Time for all services to stop, in order; then the rest is killed. */
#define INIT_STOP_NS 300000000000ULL

/**
 * struct init_config - one service, as its file describes it
 * @name: Name of the file without its ending.
 * @description: For people, or NULL.
 * @type: When it counts as started.
 * @argv: Its command, allocated words and NULL.
 * @argc: Words in @argv.
 * @envp: Its environment, allocated words and NULL.
 * @envc: Words in @envp.
 * @after: Services that are up before it starts and until it has stopped.
 * @nafter: How many.
 * @restart: Ends after which it is started again.
 * @all: Its end starts all services of @group again.
 * @group: Services that are started again together; "" = none.
 * @delay_ns: Time before it is started again; doubles with each quick end.
 * @delay_max_ns: Most that it becomes; a run as long as that resets it.
 * @burst: Starts within @interval_ns before initd gives up; 0 = never.
 * @interval_ns: See @burst.
 * @start_ns: Time that it has until it is ready; 0 = any.
 * @stop_ns: Time that it has to end after @signal.
 * @signal: Signal that asks it to stop.
 * @memory_max: Bytes for memory.max; 0 = no limit.
 * @tasks_max: For pids.max.
 * @cpu_percent: Percent of one processor for cpu.max; 0 = no limit.
 * @sha256: Hash of the program, when @hashed.
 * @hashed: Execute no other program.
 * @caps: Capabilities that it starts with.
 * @ncaps: How many.
 * @manual: It is not started with initd.
 */
struct init_config {
	char name[PHI_INIT_NAME_MAX];
	char *description;
	enum init_type type;
	char *argv[INIT_WORDS_MAX + 1];
	int argc;
	char *envp[INIT_WORDS_MAX + 1];
	int envc;
	struct init_after after[INIT_AFTER_MAX];
	uint32_t nafter;
	enum init_restart restart;
	bool all;
	char group[PHI_INIT_NAME_MAX];
	uint64_t delay_ns;
	uint64_t delay_max_ns;
	uint64_t burst;
	uint64_t interval_ns;
	uint64_t start_ns;
	uint64_t stop_ns;
	int signal;
	uint64_t memory_max;
	uint64_t tasks_max;
	uint64_t cpu_percent;
	uint8_t sha256[PHI_SHA256_LEN];
	bool hashed;
	struct init_cap caps[PHI_ENDOW_MAX];
	uint32_t ncaps;
	bool manual;
};

/**
 * struct init_fault - the reason why a file is refused
 * @text: "FILE:LINE: reason; hint".
 */
struct init_fault {
	char text[512];
};

/* config.c */
struct init_config *init_config_parse(const char *path, const char *text,
				      struct init_fault *fault);
struct init_config *init_config_read(int dir, const char *file,
				     struct init_fault *fault);
void init_config_free(struct init_config *c);

/* key.c: what the keys mean */
const char *init_key_set(struct init_config *c, const char *section,
			 const char *key, const char *value);

/* value.c: what the values mean */
int init_value_words(const char *text, char **words, int max);
int init_value_time(const char *text, uint64_t *ns);
int init_value_signal(const char *text, int *signal);
int init_value_rights(const char *text, uint32_t *rights);
int init_value_hash(const char *text, uint8_t hash[PHI_SHA256_LEN]);
int init_value_name(const char *text, char name[PHI_INIT_NAME_MAX]);
const char *init_value_cap(const char *text, struct init_cap *cap);

#endif /* INITD_CONFIG_H */
