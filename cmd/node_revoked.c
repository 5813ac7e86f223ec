/* node_revoked.c - the revocation list in the DHT, for members that reach no keeper: 6.2.
 *
 * Keepers push it to whoever is attached to them, and every keepalive tells its number. A member
 * that hears of a higher number and has no keeper finds the quorum-signed list here. A grant may be
 * longer than a record: it stands in parts, and all of them must be of one signer and one number.
 * Other members could publish under these names as well: only keepers' records are looked at, what
 * is put together must verify, and looking is done once a minute at most. */
#include "cmd/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/node_internal.h"

#define PART_HEAD 9 /* number and count of parts */
#define PART_LEN (DHT_BODY_MAX - PART_HEAD)
#define PARTS_MAX ((GRANT_MAX + PART_LEN - 1) / PART_LEN)
#define FETCH_GAP SEC(60)
#define FETCH_WAIT SEC(5) /* a keeper is asked first */

/* A list being put together. */
struct fetch {
	struct pubkey signer;
	uint64_t number;
	uint8_t parts, at; /* part that is being looked for */
	bool found;
	size_t len;
	uint8_t bytes[PARTS_MAX * PART_LEN];
};

bool ns_revocations_part(struct ns_part_name *out, unsigned part)
{
	out->len = (size_t)snprintf(out->text, sizeof(out->text), "revocations%u", part);
	return part < PARTS_MAX;
}

void ns_publish_revocations(struct ns *s, usec_t now)
{
	const uint8_t *grant;
	size_t len = regs_revocation_grant(s->regs, &grant);
	uint64_t number = regs_revocation_number(s->regs);
	uint8_t parts = (uint8_t)((len + PART_LEN - 1) / PART_LEN);

	if (!len || !regs_is_keeper(s->regs) || number == s->published_revocations)
		return;
	s->published_revocations = number;
	for (unsigned i = 0; i < parts; i++) {
		uint8_t body[DHT_BODY_MAX];
		struct wr w = wr_of(body, sizeof(body));
		size_t rest = len - i * PART_LEN;
		struct ns_part_name name;

		ns_revocations_part(&name, i);
		wr_u64(&w, number);
		wr_u8(&w, parts);
		wr_copy(&w, grant + i * PART_LEN, rest < PART_LEN ? rest : PART_LEN);
		ns_publish(s, &(struct ns_record){ DHT_REVOCATIONS, name.text, name.len }, body,
			   wr_len(&w), now);
	}
}

static void fetch_free(struct ns *s)
{
	free(s->fetch);
	s->fetch = NULL;
}

static void ask(struct ns *s, usec_t now)
{
	struct reg_name name = { .kind = REG_HOST_NAME };
	struct ns_part_name part;

	ns_revocations_part(&part, s->fetch->at);
	name.len = (uint8_t)part.len;
	memcpy(name.b, part.text, part.len);
	s->fetch->found = false;
	ns_query(s, QUERY_REVOCATIONS, 0, NULL, &name, now);
}

static bool has_keeper(const struct ns *s)
{
	const struct config *cf = regs_keepers(s->regs);

	for (size_t i = 0; cf && i < cf->count; i++)
		if (map_get(&s->attached, &cf->members[i].node))
			return true;
	return regs_is_keeper(s->regs);
}

void ns_revocations_rumour(struct ns *s, uint64_t number, usec_t now)
{
	if (number <= regs_revocation_number(s->regs) || s->fetch_due != USEC_NEVER)
		return;
	s->rumour = number;
	s->fetch_due = now + FETCH_WAIT;
	if (s->fetched && s->fetch_due < s->fetched + FETCH_GAP)
		s->fetch_due = s->fetched + FETCH_GAP;
	ns_wake(s, s->fetch_due);
}

usec_t ns_revocations_chore(struct ns *s, usec_t now)
{
	if (now < s->fetch_due)
		return s->fetch_due;
	s->fetch_due = USEC_NEVER;
	if (s->rumour <= regs_revocation_number(s->regs) || has_keeper(s) || s->fetch)
		return USEC_NEVER;
	s->fetched = now;
	s->fetch = mem_new(sizeof(*s->fetch));
	ask(s, now);
	return USEC_NEVER;
}

/* Keepers' only. The first part of the highest list decides whose parts are taken. */
static bool is_wanted(const struct ns *s, const struct dht_event *e, uint64_t number, uint8_t parts)
{
	const struct config *cf = regs_keepers(s->regs);
	const struct fetch *f = s->fetch;

	if (!cf || config_member(cf, &e->signer) < 0)
		return false;
	if (parts < 1 || parts > PARTS_MAX || number <= regs_revocation_number(s->regs))
		return false;
	if (f->at == 0)
		return number > f->number;
	return number == f->number && parts == f->parts && key_equal(&f->signer, &e->signer);
}

void ns_revocations_found(struct ns *s, const struct dht_event *e)
{
	struct rd r = rd_of(e->body, e->len);
	uint64_t number = rd_u64(&r);
	uint8_t parts = rd_u8(&r);
	struct fetch *f = s->fetch;
	size_t len = rd_left(&r), at;

	if (!f || !rd_ok(&r) || !is_wanted(s, e, number, parts))
		return;
	at = (size_t)f->at * PART_LEN;
	if (len == 0 || len > PART_LEN || (f->at + 1u < parts && len != PART_LEN))
		return;
	f->signer = e->signer;
	f->number = number;
	f->parts = parts;
	f->found = true;
	f->len = at + len;
	memcpy(f->bytes + at, r.p, len);
}

void ns_revocations_done(struct ns *s, usec_t now)
{
	struct fetch *f = s->fetch;

	if (!f)
		return;
	if (f->found && f->at + 1u < f->parts) {
		f->at++;
		ask(s, now);
		return;
	}
	if (f->found && regs_offer_revocations(s->regs, f->bytes, f->len, now))
		log_info(s->n->cfg.log, "%s: took the revocation list from the DHT", s->name);
	fetch_free(s);
}

void ns_revocations_init(struct ns *s)
{
	s->fetch_due = USEC_NEVER;
}

void ns_revocations_fini(struct ns *s)
{
	fetch_free(s);
}
