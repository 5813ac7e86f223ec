/* vnet_rig.h - a vnet with everything it says recorded, for the tests of vnet/.
 *
 * Network "demo": 10.1.0.0/16, own address 10.1.0.5 and fd00::5, DNS at 10.1.0.1 and fd00::1. */
#ifndef TESTS_UNIT_VNET_RIG_H
#define TESTS_UNIT_VNET_RIG_H

#include <stdlib.h>

#include "tests/check.h"
#include "vnet/state.h"

#define RIG_LOG_MAX 512
#define TYPE_IP 17

struct rig_out {
	uint8_t data[FRAME_LEN_MAX + ETH_HEADER_LEN];
	size_t len;
	uint32_t session, tag;
};

struct rig {
	struct vnet *v;
	usec_t now;
	uint64_t seed;
	struct vnet_event events[RIG_LOG_MAX];
	char names[RIG_LOG_MAX][64];
	size_t event_count;
	struct rig_out port[RIG_LOG_MAX], peer[RIG_LOG_MAX];
	size_t port_count, peer_count, log_lines;
	struct frame frame; /* the last one pushed through the fast path */
};

static const uint8_t rig_mac[6] = { 2, 0, 0, 0, 0, 5 };

static inline struct ip rig_ip(const char *text)
{
	struct ip ip;

	if (!ip_parse(&ip, text))
		abort();
	return ip;
}

static inline struct pubkey rig_key(uint8_t n)
{
	struct pubkey k = { { 0 } };

	memset(k.b, n, sizeof(k.b));
	return k;
}

static inline void rig_random(void *ctx, void *out, size_t len)
{
	struct rig *r = ctx;
	uint8_t *b = out;

	for (size_t i = 0; i < len; i++) {
		r->seed = r->seed * 6364136223846793005u + 1442695040888963407u;
		b[i] = (uint8_t)(r->seed >> 33);
	}
}

static inline void rig_event(void *ctx, const struct vnet_event *e)
{
	struct rig *r = ctx;

	if (r->event_count == RIG_LOG_MAX)
		return;
	if (e->name)
		snprintf(r->names[r->event_count], sizeof(r->names[0]), "%s", e->name);
	r->events[r->event_count] = *e;
	r->events[r->event_count++].name = NULL;
}

static inline void rig_record(struct rig_out *o, size_t *count, const uint8_t *data, size_t len)
{
	if (*count == RIG_LOG_MAX || len > sizeof(o->data))
		return;
	memcpy(o[*count].data, data, len);
	o[(*count)++].len = len;
}

static inline void rig_to_port(void *ctx, uint16_t port, const uint8_t *frame, size_t len)
{
	struct rig *r = ctx;

	CHECK_EQ_INT(port, VNET_PORT);
	rig_record(r->port, &r->port_count, frame, len);
}

static inline void rig_to_peer(void *ctx, uint32_t session, uint32_t tag, uint8_t type,
			       const uint8_t *pkt, size_t len)
{
	struct rig *r = ctx;

	CHECK_EQ_INT(type, TYPE_IP);
	rig_record(r->peer, &r->peer_count, pkt, len);
	r->peer[r->peer_count - 1].session = session;
	r->peer[r->peer_count - 1].tag = tag;
}

static inline void rig_log(void *ctx, enum log_level level, const char *line)
{
	(void)level;
	(void)line;
	((struct rig *)ctx)->log_lines++;
}

static inline struct vnet_config rig_config(const struct log *log)
{
	struct vnet_config c = { .ns = 3, .name = "demo", .domain = "internal", .host = "me",
				 .dns4 = rig_ip("10.1.0.1"), .dns6 = rig_ip("fd00::1"),
				 .mtu = 1420, .log = log, .type_ip = TYPE_IP };

	prefix_parse(&c.subnet, "10.1.0.0/16");
	prefix_parse(&c.subnet6, "fd00::/64");
	memcpy(c.port_mac, rig_mac, 6);
	return c;
}

/* Free with rig_free. The log belongs to the rig. */
static inline struct rig *rig_new(void)
{
	struct rig *r = calloc(1, sizeof(*r) + sizeof(struct log));
	struct log *log = (struct log *)(r + 1);
	struct vnet_config c = rig_config(log);
	struct vnet_env env = { r, rig_random, rig_event, rig_to_port, rig_to_peer };
	struct ip own = rig_ip("10.1.0.5"), own6 = rig_ip("fd00::5");

	*log = (struct log){ r, rig_log, LOG_LEVEL_DEBUG };
	r->now = SEC(1000);
	r->seed = 7;
	r->v = vnet_new(&c, &env, r->now);
	vnet_own(r->v, &own, r->now);
	vnet_own(r->v, &own6, r->now);
	return r;
}

static inline void rig_free(struct rig *r)
{
	vnet_free(r->v);
	free(r);
}

static inline void rig_forget(struct rig *r)
{
	r->event_count = r->port_count = r->peer_count = 0;
}

/* Runs everything due until `usec` later. */
static inline void rig_wait(struct rig *r, usec_t usec)
{
	usec_t end = r->now + usec, at;

	while ((at = vnet_deadline(r->v)) <= end) {
		r->now = at > r->now ? at : r->now;
		vnet_tick(r->v, r->now);
	}
	r->now = end;
	vnet_tick(r->v, r->now);
}

static inline size_t rig_events(const struct rig *r, enum vnet_event_type type)
{
	size_t n = 0;

	for (size_t i = 0; i < r->event_count; i++)
		n += r->events[i].type == type;
	return n;
}

static inline uint64_t rig_drops(const struct rig *r, enum drop d)
{
	return vnet_drops(r->v)->count[d];
}

static inline enum frame_verdict rig_run(struct rig *r, bool session)
{
	struct frame *f = &r->frame;
	uint64_t *counts = r->v->lane.drops.count, before = 0, after = 0;

	for (size_t i = 0; i < DROP_REASON_COUNT; i++)
		before += counts[i];
	(session ? vnet_from_session : vnet_from_port)(vnet_view(r->v), vnet_lane(r->v, 0), &f, 1,
						       r->now);
	for (size_t i = 0; i < DROP_REASON_COUNT; i++)
		after += counts[i];
	CHECK_EQ_INT(after - before, f->verdict == FRAME_DROP);
	if (f->verdict == FRAME_UPCALL)
		vnet_upcall(r->v, f, r->now);
	return f->verdict;
}

/* An Ethernet frame from the port, through fast and slow path. */
static inline enum frame_verdict rig_from_port(struct rig *r, const void *frame, size_t len)
{
	memset(&r->frame, 0, sizeof(r->frame));
	r->frame.data = r->frame.store + FRAME_HEAD;
	r->frame.len = (uint32_t)len;
	memcpy(r->frame.data, frame, len);
	return rig_run(r, false);
}

static inline enum frame_verdict rig_from_session(struct rig *r, uint32_t session, const void *pkt,
						  size_t len)
{
	memset(&r->frame, 0, sizeof(r->frame));
	r->frame.data = r->frame.store + FRAME_HEAD + 16;
	r->frame.len = (uint32_t)len;
	r->frame.session = session;
	r->frame.type = TYPE_IP;
	memcpy(r->frame.data, pkt, len);
	return rig_run(r, true);
}

/* A UDP packet whose only payload byte is `mark`; returns its length. */
static inline size_t rig_udp(uint8_t *out, const char *src, const char *dst, uint8_t mark)
{
	uint8_t body[9] = { 0x10, 0, 0x20, 0, 0, 9, 0, 0, mark };
	struct ip_out o = { .src = rig_ip(src), .dst = rig_ip(dst), .proto = IP_UDP, .hops = 64,
			    .body = body, .body_len = sizeof(body) };

	return ip_write(out, FRAME_LEN_MAX, &o);
}

/* The same in Ethernet, as our host would send it. */
static inline size_t rig_eth(uint8_t *out, const struct ip_out *o)
{
	static const uint8_t gate[6] = { 0xfe, 0xfd, 1, 1, 1, 1 };
	struct wr w = wr_of(out, ETH_HEADER_LEN);

	eth_write(&w, gate, rig_mac, o->src.len == 4 ? ETH_IPV4 : ETH_IPV6);
	return ETH_HEADER_LEN + ip_write(out + ETH_HEADER_LEN, FRAME_LEN_MAX, o);
}

static inline enum frame_verdict rig_send(struct rig *r, const char *src, const char *dst,
					  uint8_t mark)
{
	uint8_t body[9] = { 0x10, 0, 0x20, 0, 0, 9, 0, 0, mark };
	struct ip_out o = { .src = rig_ip(src), .dst = rig_ip(dst), .proto = IP_UDP, .hops = 64,
			    .body = body, .body_len = sizeof(body) };
	uint8_t out[FRAME_LEN_MAX];

	return rig_from_port(r, out, rig_eth(out, &o));
}

static inline enum frame_verdict rig_receive(struct rig *r, uint32_t session, const char *src,
					     const char *dst, uint8_t mark)
{
	uint8_t pkt[FRAME_LEN_MAX];

	return rig_from_session(r, session, pkt, rig_udp(pkt, src, dst, mark));
}

/* The payload mark of a recorded packet. */
static inline int rig_mark(const struct rig_out *o) { return o->len ? o->data[o->len - 1] : -1; }

/* An address with owner n, generation g; its session is 100 + n when `up`. */
static inline void rig_peer(struct rig *r, const char *ip, uint8_t n, bool up)
{
	struct pubkey k = rig_key(n);
	struct ip a = rig_ip(ip);

	vnet_resolved(r->v, &a, &k, 1, r->now + HOURS(1), r->now);
	if (up)
		vnet_peer_up(r->v, &k, 100u + n, 200u + n, r->now);
}

/* Makes an ARP packet in Ethernet (60 bytes with padding). */
static inline size_t rig_arp(uint8_t *out, uint16_t op, const uint8_t mac[6], const char *sender,
			     const char *target)
{
	struct ip s = rig_ip(sender), t = rig_ip(target);
	struct wr w = wr_of(out, 60);

	eth_write(&w, (const uint8_t *)"\xff\xff\xff\xff\xff\xff", rig_mac, ETH_ARP);
	wr_u16(&w, 1);
	wr_u16(&w, ETH_IPV4);
	wr_u16(&w, 0x0604);
	wr_u16(&w, op);
	wr_copy(&w, mac, 6);
	wr_copy(&w, s.b, 4);
	wr_zero(&w, 6);
	wr_copy(&w, t.b, 4);
	wr_zero(&w, 18);
	return wr_len(&w);
}

static inline void rig_ask_arp(struct rig *r, const char *sender, const char *target)
{
	uint8_t out[60];

	rig_from_port(r, out, rig_arp(out, 1, rig_mac, sender, target));
}

#endif
