// SPDX-License-Identifier: GPL-2.0-only
/*
 * net_gate: let in only what NETWORK capabilities allow, here on eth0.
 *
 *  mkdir -p /sys/fs/bpf/phi
 *  bpftool prog loadall net_gate.bpf.o /sys/fs/bpf/phi/net_gate \
 *	pinmaps /sys/fs/bpf/phi/net_gate
 *  bpftool net attach xdp pinned /sys/fs/bpf/phi/net_gate/net_gate dev eth0
 *
 * TCP and UDP, over IPv4 and IPv6, pass when a live NETWORK capability opens
 * the port they go to; the gate asks for every packet, so a revoke closes the
 * port at once, to connections that exist too. ARP, ICMP and ICMPv6 pass, and
 * everything else is dropped. Of a fragmented datagram the first fragment
 * must show its ports; the others pass, for without the first they are never
 * put together.
 *
 * A host that makes connections itself needs the answers: name the range of
 * ports it makes them from, both ends as 32 bits, here 32768 to 60999. UDP to
 * such a port passes then, and TCP but for what would open a connection:
 *
 *  bpftool map update pinned /sys/fs/bpf/phi/net_gate/replies \
 *	key hex 00 00 00 00 value hex 00 80 00 00 47 ee 00 00
 */
#include "phi.bpf.h"

#include <bpf/bpf_endian.h>

#define ETH_P_IP 0x0800
#define ETH_P_ARP 0x0806
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8
#define NEXT_HOP_BY_HOP 0
#define NEXT_ROUTING 43
#define NEXT_FRAGMENT 44
#define NEXT_ICMP6 58
#define NEXT_OPTIONS 60
#define VLANS_MAX 2
#define EXTENSIONS_MAX 8
#define IP4_OFFSET 0x1fff
#define IP6_OFFSET 0xfff8
#define TCP_FLAG_SYN 0x02
#define TCP_FLAG_ACK 0x10

struct port_range {
	__u32 low;
	__u32 high; /* 0: no range */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct port_range);
} replies SEC(".maps");

/* Packets dropped [0] and passed [1]. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} packets SEC(".maps");

/* Where the parser is. */
struct cursor {
	void *at;
	void *end;
};

struct ports {
	__be16 source;
	__be16 dest;
};

struct vlan {
	__be16 tag;
	__be16 next;
};

/* Take @size bytes: a pointer to them, or NULL when the packet is shorter. */
static __always_inline void *take(struct cursor *c, __u32 size)
{
	void *at = c->at;

	if (at + size > c->end)
		return NULL;
	c->at = at + size;
	return at;
}

/* May this be an answer to what the host sent? */
static __always_inline bool answers(struct cursor *c, __u8 proto, __u16 port)
{
	__u32 zero = 0;
	struct port_range *range = bpf_map_lookup_elem(&replies, &zero);
	__u8 *tcp;

	if (!range || port < range->low || port > range->high)
		return false;
	if (proto == IPPROTO_UDP)
		return true;
	/* The ports are taken; the flags are at 13 of the header. */
	tcp = take(c, 10);
	return tcp && (tcp[9] & (TCP_FLAG_SYN | TCP_FLAG_ACK)) != TCP_FLAG_SYN;
}

static __always_inline bool allowed(struct cursor *c, __u8 proto)
{
	struct ports *ports;
	__u16 port;

	if (proto == IPPROTO_ICMP || proto == NEXT_ICMP6)
		return true;
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return false;
	ports = take(c, sizeof(*ports));
	if (!ports)
		return false;
	port = bpf_ntohs(ports->dest);
	return bpf_phi_port_open(proto, port) || answers(c, proto, port);
}

static __always_inline bool allowed_ip4(struct cursor *c)
{
	struct iphdr *ip = take(c, sizeof(*ip));
	__u32 options;

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return false;
	if (bpf_ntohs(ip->frag_off) & IP4_OFFSET)
		return true;
	options = (ip->ihl - 5) * 4;
	if (options && !take(c, options & 0x3f))
		return false;
	return allowed(c, ip->protocol);
}

static __always_inline bool allowed_ip6(struct cursor *c)
{
	struct ipv6hdr *ip = take(c, sizeof(*ip));
	__u8 next;
	int i;

	if (!ip || ip->version != 6)
		return false;
	next = ip->nexthdr;
	for (i = 0; i < EXTENSIONS_MAX; i++) {
		struct ipv6_opt_hdr *ext;
		__u32 rest;

		if (next == NEXT_FRAGMENT) {
			struct frag_hdr *frag = take(c, sizeof(*frag));

			if (!frag)
				return false;
			if (bpf_ntohs(frag->frag_off) & IP6_OFFSET)
				return true;
			next = frag->nexthdr;
			continue;
		}
		if (next != NEXT_HOP_BY_HOP && next != NEXT_ROUTING &&
		    next != NEXT_OPTIONS)
			return allowed(c, next);
		ext = take(c, sizeof(*ext));
		if (!ext)
			return false;
		next = ext->nexthdr;
		rest = ext->hdrlen * 8 + 6;
		if (!take(c, rest & 0xfff))
			return false;
	}
	return false;
}

static __always_inline bool allowed_frame(struct cursor *c)
{
	struct ethhdr *eth = take(c, sizeof(*eth));
	__be16 proto;
	int i;

	if (!eth)
		return false;
	proto = eth->h_proto;
	for (i = 0; i < VLANS_MAX; i++) {
		struct vlan *vlan;

		if (proto != bpf_htons(ETH_P_8021Q) &&
		    proto != bpf_htons(ETH_P_8021AD))
			break;
		vlan = take(c, sizeof(*vlan));
		if (!vlan)
			return false;
		proto = vlan->next;
	}
	if (proto == bpf_htons(ETH_P_ARP))
		return true;
	if (proto == bpf_htons(ETH_P_IP))
		return allowed_ip4(c);
	if (proto == bpf_htons(ETH_P_IPV6))
		return allowed_ip6(c);
	return false;
}

SEC("xdp")
int net_gate(struct xdp_md *ctx)
{
	struct cursor c = {
		.at = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
	};
	__u32 pass = allowed_frame(&c);
	__u64 *n = bpf_map_lookup_elem(&packets, &pass);

	if (n)
		(*n)++;
	return pass ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
