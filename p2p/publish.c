/* publish.c - see publish.h. A view is made whole, put in the place of the old one, which is then
 * freed: with one lane nobody is reading it just now. */
#include "p2p/publish.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "p2p/core.h"

static struct peer_view *make(struct session *s)
{
	const struct attachments *as = &s->attachments;
	struct peer_view *v = mem_new(sizeof(*v) + as->count * sizeof(v->tags[0]));

	v->handle = s->handle;
	v->kind = s->kind;
	v->used = s->paths.used;
	v->send = s->current;
	v->use = &s->use;
	for (int i = 0; i < P2P_PATHS_MAX; i++) {
		v->known[i].addr = s->paths.list[i].addr;
		v->known[i].socket = s->paths.list[i].socket;
	}
	for (size_t i = 0; i < as->count; i++)
		if (as->list[i].state == ATTACH_UP)
			v->tags[v->tag_count++] =
				(struct tag_view){ as->list[i].tag_in, as->list[i].ns };
	return v;
}

void publish(struct session *s)
{
	struct peer_view *old = s->view;
	struct p2p_view *view = &s->p->view;

	s->stale_view = false;
	if (!s->up)
		return;
	assert(s->handle && s->current && (s->kind != P2P_PATH_DIRECT || s->paths.used >= 0));
	s->view = make(s);
	if (old)
		index_replace(&view->peers, s->handle, s->view);
	else
		index_put(&view->peers, s->handle, s->view);
	s->current->peer = s->view;
	if (s->previous)
		s->previous->peer = s->view;
	free(old);
}

void publish_remove(struct session *s)
{
	if (!s->view)
		return;
	index_take(&s->p->view.peers, s->handle);
	free(s->view);
	s->view = NULL;
}
