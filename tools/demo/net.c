// SPDX-License-Identifier: GPL-2.0-only
/*
 * net_gate: a port that a NETWORK capability opens and a revoke closes. The
 * guest script made veth phi0 here and phi1 in network namespace "phi".
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "demo.h"

#define PORT 4242

/* A datagram from the other side of the gate: does it come through? */
static bool passes(int fd)
{
	struct timeval wait = { .tv_usec = 400000 };
	char c;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (command("ip netns exec phi bash -c 'echo -n x >/dev/udp/10.9.8.1/%d'",
		    PORT))
		return false;
	return recv(fd, &c, 1, 0) == 1;
}

/* The gate on veth phi0. */
void net_port(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_port = htons(PORT) };
	bool free, closed, open, shut;
	uint64_t endpoint, port = 0;
	int phi = phi_open(0), fd, ret;

	heading("A capability opens a network port");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here))) {
		expect("there is a port to gate", false, "%s",
		       err_name(-errno));
		return;
	}
	free = passes(fd);
	command("bpftool net attach xdp pinned " PINS
		"/net_gate/net_gate dev phi0");
	closed = !passes(fd);
	ret = phi_endpoint_create(phi, &endpoint);
	if (!ret)
		ret = phi_cap_mint(phi, endpoint, PHI_TYPE_NETWORK,
				   PHI_RIGHT_SEND | PHI_RIGHT_ADMIN,
				   PHI_NETWORK_BADGE(IPPROTO_UDP, PORT), &port);
	line("minted a NETWORK capability for UDP port %d: %s", PORT,
	     err_name(ret));
	open = !ret && passes(fd);
	ret = phi_cap_drop(phi, port);
	line("dropped it: %s", err_name(ret));
	shut = !ret && !passes(fd);
	command("bpftool net detach xdp dev phi0");
	expect("without a capability the port is closed", free && closed,
	       "open before the gate, %s with it",
	       closed ? "closed" : "still open");
	expect("a NETWORK capability opens it", open, "%s",
	       open ? "the datagram came" : "nothing came");
	expect("without the capability it is closed again", shut, "%s",
	       shut ? "nothing came" : "the datagram came");
	close(fd);
	phi_close(phi);
}
