/* daemon_port.c - frames between the TAPs and the node.
 *
 * The host hands over large TCP packets uncut: one read for some forty frames, which then travel as
 * one run of equal datagrams. In the other direction TCP segments of one batch that follow each
 * other are joined again before they are written. Frames wait for nothing: what is not joined at
 * the end of its batch is written. */
#include "cmd/daemon_internal.h"

#include <string.h>

#include "vnet/offload.h"

#define ETH_LEN 14
#define READS_MAX (DAEMON_ROUNDS * 8) /* frames or large packets per wake-up */

/* Frames on their way from one port to the node. */
struct intake {
	struct port *p;
	uint16_t ns;
	struct frame *frames[DAEMON_BATCH];
	size_t count;
};

static void hand_on(struct daemon *d, struct intake *in)
{
	if (in->count) {
		node_from_port(d->node, in->ns, in->frames, in->count, boot_now());
		daemon_finish(d, in->frames, in->count);
	}
	in->count = 0;
}

/* A new frame at the end of the intake; there is always one: a full intake is handed on first. */
static struct frame *intake_frame(struct daemon *d, struct intake *in)
{
	if (in->count == DAEMON_BATCH)
		hand_on(d, in);
	return in->frames[in->count++] = frame_get(&d->pool);
}

static void take_whole(struct daemon *d, struct intake *in, size_t len)
{
	struct frame *f;

	if (len > FRAME_LEN_MAX) { /* somebody raised the MTU */
		in->p->tap.dropped++;
		return;
	}
	f = intake_frame(d, in);
	memcpy(f->data, d->large_in, len);
	f->len = (uint32_t)len;
}

/* Each segment gets the Ethernet header of the large packet. */
static void take_large(struct daemon *d, struct intake *in, size_t len, uint16_t mss)
{
	struct offload_cut c;

	if (offload_cut_begin(&c, d->large_in + ETH_LEN, len - ETH_LEN, mss) < 0 ||
	    ETH_LEN + c.header_len + mss > FRAME_LEN_MAX) {
		in->p->tap.dropped++;
		return;
	}
	for (;;) {
		struct frame *f = intake_frame(d, in);
		size_t n = offload_cut_next(&c, f->data + ETH_LEN, FRAME_LEN_MAX - ETH_LEN);

		if (n == 0) {
			frame_put(&d->pool, f);
			in->count--;
			break;
		}
		memcpy(f->data, d->large_in, ETH_LEN);
		f->len = (uint32_t)(ETH_LEN + n);
	}
}

static void take(struct daemon *d, struct intake *in, size_t len, const struct tap_offload *o)
{
	struct offload sum = { .partial = true,
			       .csum_start = (uint16_t)(o->csum_start - ETH_LEN),
			       .csum_offset = o->csum_offset };

	if (len <= ETH_LEN || o->gso == TAP_OTHER) {
		in->p->tap.dropped++;
	} else if (o->gso != TAP_WHOLE) {
		take_large(d, in, len, o->mss);
	} else if (!o->partial) {
		take_whole(d, in, len);
	} else if (o->csum_start >= ETH_LEN &&
		   offload_checksum(d->large_in + ETH_LEN, len - ETH_LEN, &sum) == 0) {
		take_whole(d, in, len);
	} else {
		in->p->tap.dropped++;
	}
}

static void on_port(uv_poll_t *poll, int status, int events)
{
	struct port *p = poll->data;
	struct daemon *d = p->d;
	struct intake in = { .p = p, .ns = p->ns };
	struct tap_offload o;

	(void)events;
	if (status < 0) { /* taken away by the administrator */
		log_error(d->log, "%s is gone: %s; restart vpnd to have it again", p->tap.name,
			  uv_strerror(status));
		uv_poll_stop(poll);
		return;
	}
	/* What a frame brings about may close the port; p itself lives until the loop's next turn. */
	for (int i = 0; i < READS_MAX && d->ports[in.ns] == p; i++) {
		size_t len = tap_read(&p->tap, d->large_in, &o);

		if (len == 0)
			break;
		take(d, &in, len, &o);
	}
	hand_on(d, &in);
}

int daemon_watch_port(struct port *p)
{
	return daemon_watch(p->d, &p->poll, p->tap.fd, on_port, p);
}

void daemon_to_port(struct daemon *d, uint16_t ns, const uint8_t *frame, size_t len)
{
	if (ns < NODE_NAMESPACES_MAX && d->ports[ns])
		tap_write(&d->ports[ns]->tap, frame, len, NULL);
}

/* A large packet that grows in d->large_out. */
struct joining {
	struct offload_join j;
	uint16_t ns;
	bool open;
};

static void join_end(struct daemon *d, struct joining *g)
{
	struct port *p = d->ports[g->ns];
	struct offload o;
	struct tap_offload t;
	size_t len;

	if (!g->open)
		return;
	g->open = false;
	len = offload_join_end(&g->j, &o);
	t = (struct tap_offload){ o.tcp ? g->j.v4 ? TAP_TCP4 : TAP_TCP6 : TAP_WHOLE, o.partial,
				  (uint16_t)(ETH_LEN + o.header_len), o.mss,
				  (uint16_t)(ETH_LEN + o.csum_start), o.csum_offset };
	tap_write(&p->tap, d->large_out, ETH_LEN + len, o.tcp ? &t : NULL);
}

static bool is_ip(const struct frame *f)
{
	uint16_t type = f->len > ETH_LEN ? (uint16_t)(f->data[12] << 8 | f->data[13]) : 0;

	return type == 0x0800 || type == 0x86dd;
}

static bool join_add(struct daemon *d, struct joining *g, const struct frame *f)
{
	return g->open && g->ns == f->ns && memcmp(d->large_out, f->data, ETH_LEN) == 0 &&
	       offload_join_add(&g->j, f->data + ETH_LEN, f->len - ETH_LEN);
}

static void join_or_write(struct daemon *d, struct joining *g, const struct frame *f)
{
	join_end(d, g);
	g->open = is_ip(f) && d->ports[f->ns] &&
		  offload_join_begin(&g->j, d->large_out + ETH_LEN, TAP_FRAME_MAX - ETH_LEN,
				     f->data + ETH_LEN, f->len - ETH_LEN);
	g->ns = f->ns;
	if (g->open)
		memcpy(d->large_out, f->data, ETH_LEN);
	else
		daemon_to_port(d, f->ns, f->data, f->len);
}

void daemon_to_ports(struct daemon *d, struct frame *const frames[], size_t count)
{
	struct joining g = { .open = false };

	for (size_t i = 0; i < count; i++) {
		const struct frame *f = frames[i];

		if (f->verdict == FRAME_TO_PORT && f->ns < NODE_NAMESPACES_MAX &&
		    !join_add(d, &g, f))
			join_or_write(d, &g, f);
	}
	join_end(d, &g);
}
