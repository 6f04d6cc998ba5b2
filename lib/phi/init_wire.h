/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PHI_INIT_WIRE_H
#define PHI_INIT_WIRE_H

#include <stdint.h>

/**
 * DOC: The socket of initd
 *
 * A client connects to a socket of type SOCK_SEQPACKET and sends one struct
 * phi_init_request. initd answers with packets that begin with a struct
 * phi_init_answer, the last of which is a PHI_INIT_END, and closes.
 */

/* Place of the socket, unless initd is told otherwise. */
#define PHI_INIT_SOCKET "/run/phi/init/control"

/* Room for the name of a service, with its NUL. */
#define PHI_INIT_NAME_MAX 32

/* Room for a line about a service, with its NUL. */
#define PHI_INIT_TEXT_MAX 96

/* Services in a packet, and bytes of a log in one. */
#define PHI_INIT_ROWS_MAX 16
#define PHI_INIT_LOG_MAX 4096

/**
 * enum phi_init_verb - what a client asks for
 * @PHI_INIT_LIST: Describe all services.
 * @PHI_INIT_SHOW: Describe one.
 * @PHI_INIT_START: Start one, with those that it needs.
 * @PHI_INIT_STOP: Stop one, after those that need it.
 * @PHI_INIT_RESTART: Stop and start one.
 * @PHI_INIT_LOGS: Send the last lines that one has written.
 */
enum phi_init_verb {
	PHI_INIT_LIST = 1,
	PHI_INIT_SHOW,
	PHI_INIT_START,
	PHI_INIT_STOP,
	PHI_INIT_RESTART,
	PHI_INIT_LOGS,
};

/**
 * struct phi_init_request - what a client sends
 * @size: sizeof(struct phi_init_request).
 * @verb: enum phi_init_verb.
 * @agent: Number of the agent that the service is; 0 = @name counts.
 * @lines: Most lines of a log; 0 = all that initd has.
 * @pad: Must be 0.
 * @name: Name of the service, the rest zero.
 */
struct phi_init_request {
	uint32_t size;
	uint32_t verb;
	uint64_t agent;
	uint32_t lines;
	uint32_t pad;
	char name[PHI_INIT_NAME_MAX];
};

/**
 * enum phi_init_packet - what an answer holds
 * @PHI_INIT_ROWS: @count struct phi_init_row follow.
 * @PHI_INIT_TEXT: @count bytes of a log follow.
 * @PHI_INIT_END: Nothing follows; the last one.
 */
enum phi_init_packet {
	PHI_INIT_ROWS = 1,
	PHI_INIT_TEXT,
	PHI_INIT_END,
};

/**
 * struct phi_init_answer - the beginning of each packet of an answer
 * @packet: enum phi_init_packet.
 * @count: See there.
 * @error: In the last packet: 0 or a negative errno.
 * @pad: 0.
 */
struct phi_init_answer {
	uint32_t packet;
	uint32_t count;
	int32_t error;
	uint32_t pad;
};

/**
 * enum phi_init_state - where a service is
 * @PHI_INIT_DOWN: It does not run, or waits for those that it comes after.
 * @PHI_INIT_STARTING: It runs and is not ready yet.
 * @PHI_INIT_UP: It is ready.
 * @PHI_INIT_DONE: It has ended well.
 * @PHI_INIT_STOPPING: It was asked to end, or its last processes are ended.
 * @PHI_INIT_BACKOFF: It has ended and waits to be started again.
 * @PHI_INIT_FAILED: It has ended and is not started again.
 */
enum phi_init_state {
	PHI_INIT_DOWN,
	PHI_INIT_STARTING,
	PHI_INIT_UP,
	PHI_INIT_DONE,
	PHI_INIT_STOPPING,
	PHI_INIT_BACKOFF,
	PHI_INIT_FAILED,
};

/**
 * struct phi_init_row - a service
 * @agent: Number of the agent that it is while it runs, else 0.
 * @since_ns: Time since its state changed.
 * @next_ns: Time until it is started again, in BACKOFF.
 * @state: enum phi_init_state.
 * @pid: Its first process while that runs, else 0.
 * @restarts: Times that initd started it again by itself.
 * @wanted: 1 when it is meant to run.
 * @status: How it ended last: exit status, 128 + signal, or a negative errno
 *          when it could not be started.
 * @pad: 0.
 * @name: Its name.
 * @text: The last STATUS= that it sent, or why it failed.
 * @description: From its file.
 */
struct phi_init_row {
	uint64_t agent;
	uint64_t since_ns;
	uint64_t next_ns;
	uint32_t state;
	int32_t pid;
	uint32_t restarts;
	uint32_t wanted;
	int32_t status;
	uint32_t pad;
	char name[PHI_INIT_NAME_MAX];
	char text[PHI_INIT_TEXT_MAX];
	char description[PHI_INIT_TEXT_MAX];
};

#endif /* PHI_INIT_WIRE_H */
