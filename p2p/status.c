/* status.c - what `vpnctl peers` asks. Reads only. */
#include "p2p/status.h"

#include "p2p/core.h"
#include "p2p/session.h"

static usec_t ago(usec_t at, usec_t now)
{
	return at ? now - at : USEC_NEVER;
}

static void tell_paths(const struct session *s, struct p2p_peer_info *out, usec_t now)
{
	for (int i = 0; i < P2P_PATHS_MAX; i++) {
		const struct path *p = &s->paths.list[i];

		if (!p->addr.ip.len)
			continue;
		out->paths[out->path_count++] = (struct p2p_path_info){
			.addr = p->addr, .socket = p->socket, .proven = p->proven,
			.used = s->up && i == s->paths.used, .rtt = p->rtt,
			.heard = ago(s->use.heard[i], now),
		};
	}
}

static void tell_up(const struct session *s, struct p2p_peer_info *out, usec_t now)
{
	out->session = s->handle;
	out->kind = s->kind;
	out->ring_hops = s->kind == P2P_PATH_RING ? s->ring_hops : 0;
	out->near = ring_keeps(s->p->ring, &s->peer);
	out->since = now - s->up_since;
	out->heard = ago(s->use.marks.heard, now);
	out->rtt = s->kind == P2P_PATH_DIRECT ? s->paths.list[s->paths.used].rtt : 0;
	if (!out->rtt)
		out->rtt = channel_rtt(s->channel);
	out->suite = (uint8_t)s->current->suite;
	for (size_t i = 0; i < s->attachments.count; i++)
		if (s->attachments.list[i].state == ATTACH_UP)
			out->ns_attached |= UINT64_C(1) << s->attachments.list[i].ns;
}

bool p2p_peer_next(const struct p2p *p, size_t *at, struct p2p_peer_info *out, usec_t now)
{
	const struct session *s = map_next(&p->sessions, at);

	if (!s)
		return false;
	*out = (struct p2p_peer_info){
		.key = s->peer, .bootstrap = s->bootstrap, .up = s->up, .heard = USEC_NEVER,
		.tx_packets = s->use.tx_packets, .tx_bytes = s->use.tx_bytes,
		.rx_packets = s->use.rx_packets, .rx_bytes = s->use.rx_bytes,
	};
	if (s->up)
		tell_up(s, out, now);
	tell_paths(s, out, now);
	return true;
}
