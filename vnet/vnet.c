/* vnet.c - the composition: one virtual network, and where its upcalls go.
 *
 * The fast path (fast.c) has checked the source of what comes up from the port and the form of
 * everything. The tables below say who handles it; the first row that matches does. Packets from a
 * session come up for two reasons: their source is not proven yet, or they answer our own ping. */
#include "vnet/vnet.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "vnet/state.h"

#define HELD_FOR SEC(3)
#define UNPROVEN_FOR MSEC(500)
#define UNPROVEN_PER_SESSION 16
#define ASKS_PER_SECOND 500
#define UNREACHABLES_PER_SECOND 50
#define REPORT_GAP SEC(60)
#define DNS_PORT 53

bool vnet_is_own(const struct vnet *v, const struct ip *ip)
{
	for (unsigned i = 0; i < v->view.own_count; i++)
		if (ip_equal(&v->view.own[i], ip))
			return true;
	return false;
}

bool vnet_is_dns(const struct vnet *v, const struct ip *ip)
{
	return ip->len && (ip_equal(ip, &v->cfg.dns4) || ip_equal(ip, &v->cfg.dns6));
}

bool vnet_is_remote(const struct vnet *v, const struct ip *ip)
{
	return (prefix_has(&v->cfg.subnet, ip) || prefix_has(&v->cfg.subnet6, ip)) &&
	       !vnet_is_own(v, ip) && !vnet_is_dns(v, ip) && !ip_is_multicast(ip) &&
	       !ip_is_subnet_edge(&v->cfg.subnet, ip);
}

const struct ip *vnet_own_first(const struct vnet *v, uint8_t len)
{
	for (unsigned i = 0; i < v->view.own_count; i++)
		if (v->view.own[i].len == len)
			return &v->view.own[i];
	return NULL;
}

void vnet_to_port(struct vnet *v, const uint8_t *pkt, size_t len)
{
	uint8_t out[ETH_HEADER_LEN + FRAME_LEN_MAX];
	struct wr w = wr_of(out, sizeof(out));
	struct rd r = rd_of(pkt, len);
	uint16_t type = rd_u8(&r) >> 4 == 4 ? ETH_IPV4 : ETH_IPV6;

	eth_write(&w, v->cfg.port_mac, v->view.proxy_mac, type);
	wr_copy(&w, pkt, len);
	if (wr_ok(&w))
		v->env.to_port(v->env.ctx, VNET_PORT, out, wr_len(&w));
	else
		vnet_drop(v, DROP_TOO_BIG);
}

void vnet_reply(struct vnet *v, const struct ip_out *o)
{
	uint8_t pkt[FRAME_LEN_MAX];
	size_t len = ip_write(pkt, v->cfg.mtu < sizeof(pkt) ? v->cfg.mtu : sizeof(pkt), o);

	if (len)
		vnet_to_port(v, pkt, len);
	else
		vnet_drop(v, DROP_TOO_BIG);
}

/* --- upcalls --- */

static bool is_nd(const struct vnet *v, const struct packet *p)
{
	(void)v;
	return packet_is_nd(p);
}

/* What a kernel says on a link of its own accord (MLD, mDNS, IGMP, DHCP), and broadcasts. */
static bool is_noise(const struct vnet *v, const struct packet *p)
{
	return ip_is_multicast(&p->dst) || ip_is_subnet_edge(&v->cfg.subnet, &p->dst) ||
	       ip_is_unspecified(&p->src) || ip_is_link_local(&p->src) || ip_is_link_local(&p->dst);
}

static bool is_query(const struct vnet *v, const struct packet *p)
{
	struct rd r = rd_of(p->body, p->body_len);

	rd_u16(&r);
	return vnet_is_dns(v, &p->dst) && p->proto == IP_UDP && !p->fragment &&
	       rd_u16(&r) == DNS_PORT;
}

static bool is_echo(const struct vnet *v, const struct packet *p)
{
	return vnet_is_dns(v, &p->dst) &&
	       packet_icmp(p) == (p->src.len == 4 ? ICMP_ECHO : ICMP6_ECHO);
}

static bool is_for_dns_address(const struct vnet *v, const struct packet *p)
{
	return vnet_is_dns(v, &p->dst);
}

static bool is_for_remote(const struct vnet *v, const struct packet *p)
{
	return vnet_is_remote(v, &p->dst);
}

static bool is_anything(const struct vnet *v, const struct packet *p)
{
	(void)v;
	(void)p;
	return true;
}

static void drop_no_dest(struct vnet *v, const struct packet *p, usec_t now)
{
	(void)p;
	(void)now;
	vnet_drop(v, DROP_NO_DEST);
}

static const struct {
	const char *name;
	bool (*match)(const struct vnet *v, const struct packet *p);
	void (*handle)(struct vnet *v, const struct packet *p, usec_t now);
} from_port[] = {
	{ "neighbour discovery", is_nd, ndp_input },
	{ "link noise", is_noise, drop_no_dest },
	{ "dns", is_query, names_input },
	{ "echo to the dns address", is_echo, local_echo },
	{ "closed port of the dns address", is_for_dns_address, local_refuse },
	{ "remote host", is_for_remote, resolve_send },
	{ "outside", is_anything, drop_no_dest },
};

static void ip_upcall(struct vnet *v, const uint8_t *frame, size_t len, usec_t now)
{
	struct rd r = rd_of(frame, len);
	struct packet p;
	size_t i = 0;

	rd_bytes(&r, ETH_HEADER_LEN);
	if (!rd_ok(&r) || !packet_read(&p, r.p, rd_left(&r))) {
		vnet_drop(v, DROP_MALFORMED);
		return;
	}
	while (!from_port[i].match(v, &p)) /* the last row always does */
		i++;
	from_port[i].handle(v, &p, now);
}

static const struct {
	const char *name;
	uint16_t ethertype;
	size_t len_min;
	void (*handle)(struct vnet *v, const uint8_t *frame, size_t len, usec_t now);
} ethertypes[] = {
	{ "ipv4", ETH_IPV4, ETH_HEADER_LEN + IPV4_HEADER_LEN, ip_upcall },
	{ "ipv6", ETH_IPV6, ETH_HEADER_LEN + IPV6_HEADER_LEN, ip_upcall },
	{ "arp", ETH_ARP, ETH_HEADER_LEN + 28, arp_input },
};

static void port_upcall(struct vnet *v, const struct frame *f, usec_t now)
{
	struct rd r = rd_of(f->data, f->len);
	struct eth e;

	eth_read(&r, &e);
	for (size_t i = 0; i < ARRAY_LEN(ethertypes); i++) {
		if (ethertypes[i].ethertype != e.type)
			continue;
		if (f->len < ethertypes[i].len_min)
			vnet_drop(v, DROP_MALFORMED);
		else
			ethertypes[i].handle(v, f->data, f->len, now);
		return;
	}
	vnet_drop(v, DROP_ETHERTYPE);
}

static void session_upcall(struct vnet *v, const struct frame *f, usec_t now)
{
	const struct flow *flow;
	struct packet p;

	if (!packet_read(&p, f->data, f->len)) {
		vnet_drop(v, DROP_MALFORMED);
		return;
	}
	flow = flow_find(&v->flows, &p.src);
	if (flow && flow->session == f->session && flow_is_active(flow, now))
		guard_deliver(v, &p, now);
	else
		guard_hold(v, f->session, &p, now);
}

void vnet_upcall(struct vnet *v, const struct frame *f, usec_t now)
{
	assert(f->verdict == FRAME_UPCALL);
	if (f->session)
		session_upcall(v, f, now);
	else
		port_upcall(v, f, now);
}

/* --- life --- */

static void view_init(struct vnet *v)
{
	v->view = (struct vnet_view){ .flows = &v->flows, .ns = v->cfg.ns, .mtu = v->cfg.mtu,
				      .type_ip = v->cfg.type_ip, .proxy_mac = { 0xfe, 0xfd } };
	memcpy(v->view.port_mac, v->cfg.port_mac, MAC_LEN);
	v->env.random(v->env.ctx, v->view.proxy_mac + 2, 4);
	v->env.random(v->env.ctx, &v->view.ping_id, sizeof(v->view.ping_id));
}

struct vnet *vnet_new(const struct vnet_config *cfg, const struct vnet_env *env, usec_t now)
{
	struct vnet *v = mem_new(sizeof(*v));
	uint64_t seed[2];
	uint8_t map_seed[16];

	assert(cfg->log && cfg->type_ip && cfg->mtu && cfg->mtu <= FRAME_LEN_MAX - ETH_HEADER_LEN);
	v->cfg = *cfg;
	v->env = *env;
	v->report_at = now;
	env->random(env->ctx, seed, sizeof(seed));
	env->random(env->ctx, map_seed, sizeof(map_seed));
	flows_init(&v->flows, &v->lane.marks, seed, v);
	peers_init(&v->peers, map_seed, v);
	fence_init(&v->fence, map_seed);
	held_init(&v->out, VNET_HELD_TOTAL_MAX, VNET_HELD_MAX, HELD_FOR);
	held_init(&v->in, VNET_HELD_TOTAL_MAX, UNPROVEN_PER_SESSION, UNPROVEN_FOR);
	timers_init(&v->timers);
	limit_init(&v->asks, ASKS_PER_SECOND, ASKS_PER_SECOND);
	limit_init(&v->unreachables, UNREACHABLES_PER_SECOND, UNREACHABLES_PER_SECOND);
	limit_init(&v->alarms, 1, 5);
	list_init(&v->queries);
	list_init(&v->pings);
	view_init(v);
	return v;
}

void vnet_free(struct vnet *v)
{
	if (!v)
		return;
	names_free(v);
	ping_free(v);
	timers_fini(&v->timers);
	held_fini(&v->out);
	held_fini(&v->in);
	flows_fini(&v->flows);
	peers_fini(&v->peers);
	fence_fini(&v->fence);
	free(v->reported);
	free(v);
}

/* --- time --- */

static void expire_held(struct vnet *v, usec_t now)
{
	struct held_frame *h;

	while ((h = held_expired(&v->out, now))) {
		const struct flow *f = container_of(h->queue, struct flow, held);

		vnet_drop(v, f->owner ? DROP_NO_SESSION : DROP_NO_DEST);
		free(h);
	}
	while ((h = held_expired(&v->in, now))) {
		vnet_drop(v, DROP_SPOOF_PEER);
		free(h);
	}
}

/* One line a minute at most about what was dropped since the last. */
static void report(struct vnet *v, usec_t now)
{
	static const struct drops none;
	char line[512];
	int len = 0;

	if (now < v->report_at ||
	    memcmp(v->reported ? v->reported : &none, &v->lane.drops, sizeof(none)) == 0)
		return;
	if (!v->reported)
		v->reported = mem_new(sizeof(*v->reported));
	for (int d = 1; d < DROP_REASON_COUNT && len < (int)sizeof(line); d++) {
		uint64_t n = v->lane.drops.count[d] - v->reported->count[d];

		if (n)
			len += snprintf(line + len, sizeof(line) - (size_t)len, " %s %llu",
					drop_name((enum drop)d), (unsigned long long)n);
	}
	*v->reported = v->lane.drops;
	v->report_at = now + REPORT_GAP;
	log_info(v->cfg.log, "%s: frames dropped:%s", v->cfg.name, line);
}

void vnet_tick(struct vnet *v, usec_t now)
{
	timers_run(&v->timers, now);
	expire_held(v, now);
	names_tick(v, now);
	ping_tick(v, now);
	report(v, now);
}

usec_t vnet_deadline(const struct vnet *v)
{
	usec_t at = timers_next(&v->timers);

	at = usec_min(at, usec_min(held_deadline(&v->out), held_deadline(&v->in)));
	return usec_min(at, usec_min(names_deadline(v), ping_deadline(v)));
}

/* --- own addresses and state --- */

bool vnet_own(struct vnet *v, const struct ip *ip, usec_t now)
{
	struct flow *f = flow_find(&v->flows, ip);

	(void)now;
	if (vnet_is_own(v, ip))
		return true;
	if (v->view.own_count >= VNET_OWN_MAX)
		return false;
	if (f)
		resolve_flow_drop(v, f, DROP_NO_DEST);
	v->view.own[v->view.own_count++] = *ip;
	return true;
}

bool vnet_disown(struct vnet *v, const struct ip *ip, usec_t now)
{
	(void)now;
	for (unsigned i = 0; i < v->view.own_count; i++) {
		if (!ip_equal(&v->view.own[i], ip))
			continue;
		v->view.own_count--;
		memmove(&v->view.own[i], &v->view.own[i + 1],
			(v->view.own_count - i) * sizeof(v->view.own[0]));
		return true;
	}
	return false;
}

const struct vnet_view *vnet_view(const struct vnet *v) { return &v->view; }

struct vnet_lane *vnet_lane(struct vnet *v, unsigned lane)
{
	assert(lane == 0);
	return &v->lane;
}

const struct drops *vnet_drops(const struct vnet *v) { return &v->lane.drops; }

bool vnet_flow_next(const struct vnet *v, size_t *at, struct vnet_flow_info *out, usec_t now)
{
	const struct flow *f = flow_next(&v->flows, at);
	const struct flow_mark *m;

	if (!f)
		return false;
	m = flow_mark(f);
	*out = (struct vnet_flow_info){ .ip = f->ip, .has_owner = f->owner != NULL,
					.active = flow_is_active(f, now), .session = f->session,
					.generation = f->generation, .packets = m->packets,
					.idle = now > m->used ? now - m->used : 0,
					.left = f->until > now ? f->until - now : 0 };
	if (f->owner)
		out->owner = f->owner->key;
	return true;
}
