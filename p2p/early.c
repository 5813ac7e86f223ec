/* early.c - see early.h: the slow path of data, for packets that p2p_open could not place. The peer
 * has proven the namespace's secret by now, so it is no stranger; its grant may still be refused,
 * and then nothing of this is ever seen. */
#include "p2p/early.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "p2p/core.h"
#include "p2p/session.h"

static bool early_put(struct early **chain, uint8_t type, const uint8_t *bytes, size_t len)
{
	struct early *e;
	unsigned count = 0;

	for (; *chain; chain = &(*chain)->next)
		count++;
	if (count >= EARLY_MAX)
		return false;
	e = mem_new(sizeof(*e) + len);
	e->type = type;
	e->len = len;
	memcpy(e->bytes, bytes, len);
	*chain = e;
	return true;
}

void early_free(struct early **chain)
{
	struct early *e;

	while ((e = *chain)) {
		*chain = e->next;
		free(e);
	}
}

static void hand_on(struct session *s, const struct attachment *a, uint8_t type,
		    const uint8_t *msg, size_t len)
{
	s->use.data = heard_unit(s->p->now);
	p2p_emit(s->p, &(struct p2p_event){ .type = P2P_DATA, .peer = s->peer, .ns = a->ns,
					    .session = s->handle, .tag = a->tag_in,
					    .service = type, .msg = msg, .len = len });
}

void attach_data(struct session *s, uint8_t type, uint32_t tag, struct rd plain)
{
	for (size_t i = 0; i < attach_count(s->attachments); i++) {
		struct attachment *a = &s->attachments->list[i];

		if (a->tag_in != tag || (a->state != ATTACH_UP && a->state != ATTACH_ACCEPTED))
			continue;
		if (a->state == ATTACH_UP)
			hand_on(s, a, type, plain.p, rd_left(&plain));
		else if (!early_put(&a->early, type, plain.p, rd_left(&plain)))
			drop_add(s->p->cfg.drops, DROP_FULL);
		return;
	}
	drop_add(s->p->cfg.drops, DROP_TAG);
}

void early_release(struct session *s, struct attachment *a)
{
	for (const struct early *e = a->early; e; e = e->next)
		hand_on(s, a, e->type, e->bytes, e->len);
	early_free(&a->early);
}
