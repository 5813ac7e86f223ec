/* publish.c - see publish.h. A view is made whole, put in the place of the old one, which is then
 * freed: with one lane nobody is reading it just now. */
#include "p2p/publish.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "p2p/core.h"

static size_t attached(const struct attachments *as)
{
	size_t n = 0;

	for (size_t i = 0; i < attach_count(as); i++)
		n += as->list[i].state == ATTACH_UP;
	return n;
}

static struct peer_view *make(struct session *s)
{
	const struct attachments *as = s->attachments;
	size_t up = attached(as);
	const struct paths *ps = &s->paths;
	size_t known = (size_t)ps->count * sizeof(struct known_view);
	struct peer_view *v = mem_new(offsetof(struct peer_view, known) + known +
				      up * sizeof(struct tag_view));
	struct tag_view *tag;

	v->handle = s->handle;
	v->kind = (uint8_t)s->kind;
	v->used = s->paths.used;
	v->send = s->current;
	v->use = &s->use;
	v->known_count = (uint8_t)ps->count;
	for (int i = 0; i < ps->count; i++)
		v->known[i] = (struct known_view){ ps->list[i].addr, ps->list[i].socket,
						      &ps->list[i].heard };
	tag = view_tags(v);
	for (size_t i = 0; i < as->count; i++)
		if (as->list[i].state == ATTACH_UP)
			tag[v->tag_count++] =
				(struct tag_view){ as->list[i].tag_in, as->list[i].ns };
	assert(v->tag_count == up);
	return v;
}

/* Under these keys packets may be received on the fast path, or no more. */
static void tell_keys(struct session *s, const struct peer_view *v)
{
	if (s->current)
		s->current->peer = v;
	if (s->previous)
		s->previous->peer = v;
}

void publish(struct session *s)
{
	struct attachments *as = s->attachments;
	struct p2p_view *view = &s->p->view;
	struct peer_view *old;

	s->stale_view = s->paths.changed = false;
	if (!s->up || !attached(as)) {
		publish_remove(s);
		return;
	}
	assert(s->handle && s->current && (s->kind != P2P_PATH_DIRECT || s->paths.used >= 0));
	old = as->view;
	as->view = make(s);
	if (old)
		index_replace(&view->peers, s->handle, as->view);
	else
		index_put(&view->peers, s->handle, as->view);
	tell_keys(s, as->view);
	free(old);
}

void publish_remove(struct session *s)
{
	struct attachments *as = s->attachments;

	if (!as || !as->view)
		return;
	index_take(&s->p->view.peers, s->handle);
	free(as->view);
	as->view = NULL;
	tell_keys(s, NULL);
}
