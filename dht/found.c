/* found.c - the records that a lookup is given: each is checked once, and the owner of the lookup
 * hears of each signer's highest only. LOOKUP_CHECKS_MAX signatures, LOOKUP_RECORDS_MAX signers. */
#include "dht/found.h"

#include <assert.h>

static struct found_record *found_of(struct lookup *l, const struct pubkey *signer)
{
	for (size_t i = 0; i < l->founds; i++)
		if (key_equal(&l->found[i].signer, signer))
			return &l->found[i];
	return NULL;
}

static bool is_told(struct lookup *l, const struct record *r)
{
	const struct found_record *f = found_of(l, &r->signer);

	return f ? f->seq >= r->seq : l->founds == LOOKUP_RECORDS_MAX;
}

static void told(struct lookup *l, const struct record *r)
{
	struct found_record *f = found_of(l, &r->signer);

	if (!f)
		f = &l->found[l->founds++];
	assert(l->founds <= LOOKUP_RECORDS_MAX);
	*f = (struct found_record){ r->signer, r->seq };
}

/* Opening is cheap and needs the secret: what does not open costs no signature check. */
static enum drop record_judge(struct lookup *l, const struct record *r, usec_t now)
{
	enum drop why = record_check_dates(r, wall_seconds(l->all->wall, now));

	if (why)
		return why;
	if (!l->ops->opens(l->ops->ctx, l, r))
		return DROP_SEAL;
	if (l->checks == LOOKUP_CHECKS_MAX)
		return DROP_QUOTA;
	l->checks++;
	return record_check_signature(r, l->all->crypto);
}

bool lookup_record(struct lookup *l, const struct record *r, usec_t now)
{
	enum drop why;

	if (is_told(l, r))
		return false;
	why = record_judge(l, r, now);
	if (why) {
		drop_add(l->all->drops, why);
		return false;
	}
	told(l, r);
	l->ops->found(l->ops->ctx, l, r);
	return true;
}

/* A giver of what is known agrees; one with news, or who holds more than fits, begins anew. */
static void agree(struct lookup *l, size_t path, bool news)
{
	if (news) {
		l->agree = 0;
		for (size_t p = 0; p < l->paths; p++)
			l->path[p].gave = false;
	}
	l->agree++;
	l->path[path].gave = true;
}

bool found_take(struct lookup *l, const struct dht_msg *m, size_t path, usec_t now)
{
	bool gave = false, news = false;

	for (size_t i = 0; i < m->records; i++) {
		const struct found_record *f;
		struct record r;

		if (!l->name.kind || !record_read(&r, m->record[i].p, m->record[i].len) ||
		    !record_name_equal(&r.name, &l->name)) {
			drop_add(l->all->drops, DROP_MALFORMED);
			continue;
		}
		news |= lookup_record(l, &r, now);
		f = found_of(l, &r.signer);
		gave |= f && f->seq == r.seq;
	}
	if (gave && !m->more)
		agree(l, path, news);
	return gave;
}
