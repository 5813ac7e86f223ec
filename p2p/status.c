/* status.c - what `vpnctl peers` asks. Reads only. */
#include "p2p/status.h"

#include <assert.h>

#include "p2p/core.h"
#include "p2p/session.h"

static usec_t ago(usec_t at, usec_t now)
{
	return at ? now - at : USEC_NEVER;
}

static void tell_paths(const struct session *s, struct p2p_peer_info *out, usec_t now)
{
	for (int i = 0; i < s->paths.count; i++) {
		const struct path *p = &s->paths.list[i];

		out->paths[out->path_count++] = (struct p2p_path_info){
			.addr = p->addr, .socket = p->socket, .proven = p->proven,
			.used = s->up && i == s->paths.used, .rtt = p->rtt,
			.heard = ago(heard_at(p->heard), now),
		};
	}
}

static void tell_up(const struct session *s, struct p2p_peer_info *out, usec_t now)
{
	out->session = s->handle;
	out->kind = s->kind;
	out->ring_hops = s->kind == P2P_PATH_RING ? s->ring_hops : 0;
	out->role = ring_role(s->p->ring, &s->peer);
	out->near = out->role != RING_NONE;
	out->since = now - heard_at(s->up_since);
	out->heard = ago(s->use.marks.heard, now);
	out->rtt = session_rtt(s);
	out->suite = s->current->aead.suite;
	for (size_t i = 0; i < attach_count(s->attachments); i++)
		if (s->attachments->list[i].state == ATTACH_UP)
			out->ns_attached |= UINT64_C(1) << s->attachments->list[i].ns;
}

const struct p2p_sent *p2p_sent(const struct p2p *p)
{
	return &p->sent;
}

const char *p2p_sent_text(enum p2p_sent_kind kind)
{
	static const char *const text[P2P_SENT_KINDS] = {
		[P2P_SENT_HANDSHAKE] = "handshake", [P2P_SENT_WHOIS] = "whois",
		[P2P_SENT_DATA] = "data", [P2P_SENT_PROBE] = "probe",
		[P2P_SENT_KEEPALIVE] = "keepalive", [P2P_SENT_ACK] = "ack",
		[P2P_SENT_CLOSE] = "close", [P2P_SENT_ROUTED] = "routed other",
		[P2P_SENT_ROUTED + ROUTED_HANDSHAKE] = "routed handshake",
		[P2P_SENT_ROUTED + ROUTED_SEALED] = "routed packet",
		[P2P_SENT_ROUTED + ROUTED_DHT] = "routed dht",
		[P2P_SENT_ROUTED + ROUTED_RING] = "routed ring",
		[P2P_SENT_ROUTED + ROUTED_TRACE] = "routed trace",
		[P2P_SENT_MESSAGE] = "message other",
		[P2P_SENT_MESSAGE + SERVICE_RING] = "ring", [P2P_SENT_MESSAGE + SERVICE_DHT] = "dht",
		[P2P_SENT_MESSAGE + SERVICE_ATTACH] = "attach",
		[P2P_SENT_MESSAGE + SERVICE_REGISTER] = "register",
		[P2P_SENT_MESSAGE + SERVICE_ADDRESSES] = "addresses",
		[P2P_SENT_MESSAGE + SERVICE_GRANT] = "grant",
		[P2P_SENT_MESSAGE + SERVICE_MEMBER] = "member",
	};

	assert(kind < P2P_SENT_KINDS && text[kind]);
	return text[kind];
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
