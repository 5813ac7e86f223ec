/* slot.c - see slot.h. One pair of transport keys each. */
#include "p2p/slot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "p2p/core.h"
#include "p2p/session.h"

static uint32_t fresh_index(const struct p2p *p)
{
	uint32_t n;

	do
		n = p2p_random32(p);
	while (!n || index_get(&p->view.slots, n));
	return n;
}

struct key_slot *slot_new(struct session *s, usec_t now)
{
	struct key_slot *k = mem_new(sizeof(*k));

	k->index = fresh_index(s->p);
	k->session = s;
	k->made = now;
	replay_init(&k->use.replay);
	index_put(&s->p->view.slots, k->index, k);
	return k;
}

void slot_set_keys(struct key_slot *k, const struct handshake_result *r)
{
	assert(!k->aead.suite);
	k->remote_index = r->remote_index;
	k->remote_instance = r->theirs.instance;
	memcpy(k->transcript, r->transcript, sizeof(k->transcript));
	aead_init(&k->aead, r->suite, r->send_key, r->receive_key);
}

void slot_free(struct key_slot *k)
{
	if (!k)
		return;
	index_take(&k->session->p->view.slots, k->index);
	k->session->stale_view = true;
	session_touch(k->session);
	aead_fini(&k->aead);
	replay_fini(&k->use.replay);
	free(k->answered);
	free(k);
}

usec_t slot_rekey_at(const struct key_slot *k)
{
	usec_t data = k->use.first_data;
	usec_t at = data ? data + REKEY_DATA : k->made + REKEY_CONTROL;

	return k->initiator ? at : at + REKEY_RESPONDER;
}

bool slot_wants_rekey(const struct key_slot *k, usec_t now)
{
	return now >= slot_rekey_at(k) || k->use.sent >= slot_messages_max(k) / 2;
}
