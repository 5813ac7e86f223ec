/* node_topic.c - where a namespace's records stand in the DHT: blinded with its secrets.
 *
 * The namespace secret changes, and for 48 hours two are valid; a member that was away knows the
 * older one only. So whatever this node publishes stands under every valid secret, and what is not
 * found under the newest is looked up under the one before. When the secrets change here,
 * everything is published anew under them, and what stood under one that is over is withdrawn. */
#include "cmd/node.h"

#include <assert.h>
#include <string.h>

#include "cmd/node_internal.h"

bool ns_topic(const struct ns *s, unsigned secret, const struct ns_record *r, struct dht_topic *out)
{
	struct regs_secret all[2];
	size_t count = regs_secrets(s->regs, all);
	bool valid = secret < count;

	assert(r->len <= sizeof(out->name));
	*out = (struct dht_topic){ .kind = r->kind, .name_len = (uint8_t)r->len };
	memcpy(out->name, r->name, r->len);
	if (valid)
		memcpy(out->secret, all[secret].b, sizeof(out->secret));
	sodium_memzero(all, sizeof(all));
	return valid;
}

void ns_publish(struct ns *s, const struct ns_record *r, const uint8_t *body, size_t len, usec_t now)
{
	struct dht_topic t;

	for (unsigned i = 0; ns_topic(s, i, r, &t); i++)
		dht_publish(s->o->dht, &t, body, len, NODE_PUBLISH_SECONDS, now);
	sodium_memzero(&t, sizeof(t));
}

void ns_withdraw(struct ns *s, const struct ns_record *r, usec_t now)
{
	struct dht_topic t;

	for (unsigned i = 0; ns_topic(s, i, r, &t); i++)
		dht_withdraw(s->o->dht, &t, now);
	sodium_memzero(&t, sizeof(t));
}

struct ns_record ns_record_of(const struct reg_name *name)
{
	return (struct ns_record){ name->kind == REG_ADDRESS ? DHT_ADDRESS : DHT_NAME, name->b,
				   name->len };
}

void ns_publish_derived(struct ns *s, usec_t now)
{
	struct ns_record r = { DHT_DERIVED, s->v6.b, 16 };

	ns_publish(s, &r, &s->salt, 1, now);
}

void ns_publish_grant(struct ns *s, const struct reg_name *name, const uint8_t *grant, size_t len,
		      usec_t now)
{
	struct ns_record r = ns_record_of(name);
	uint8_t body[DHT_BODY_MAX];

	len = grant_shorten(body, sizeof(body), grant, len);
	if (len)
		ns_publish(s, &r, body, len, now);
}

static void withdraw_under(struct ns *s, const struct regs_secret *secret, const struct ns_record *r,
			   usec_t now)
{
	struct dht_topic t = { .kind = r->kind, .name_len = (uint8_t)r->len };

	memcpy(t.name, r->name, r->len);
	memcpy(t.secret, secret->b, sizeof(t.secret));
	dht_withdraw(s->o->dht, &t, now);
	sodium_memzero(&t, sizeof(t));
}

static void withdraw_all(struct ns *s, const struct regs_secret *secret, usec_t now)
{
	struct ns_record v6 = { DHT_DERIVED, s->v6.b, 16 };
	struct ns_record where = { DHT_ENDPOINTS, s->n->cfg.self.pub.b, KEY_LEN };
	struct ns_part_name part;
	struct lease_info li;
	size_t at = 0;

	withdraw_under(s, secret, &v6, now);
	withdraw_under(s, secret, &where, now);
	for (unsigned i = 0; s->published_revocations && ns_revocations_part(&part, i); i++)
		withdraw_under(s, secret, &(struct ns_record){ DHT_REVOCATIONS, part.text, part.len },
			       now);
	while (s->leases && leases_next(s->leases, &at, &li, now)) {
		struct ns_record r = ns_record_of(&li.name);

		withdraw_under(s, secret, &r, now);
	}
}

static void publish_all(struct ns *s, usec_t now)
{
	struct lease_info li;
	size_t at = 0;

	ns_publish_derived(s, now);
	ns_endpoints_again(s, now);
	s->published_revocations = 0;
	ns_publish_revocations(s, now);
	while (s->leases && leases_next(s->leases, &at, &li, now))
		if (li.left && li.grant_len)
			ns_publish_grant(s, &li.name, li.grant, li.grant_len, now);
}

static bool has(const struct regs_secret *all, size_t count, uint32_t number)
{
	for (size_t i = 0; i < count; i++)
		if (all[i].number == number)
			return true;
	return false;
}

void ns_topics_changed(struct ns *s, usec_t now)
{
	struct regs_secret all[2];
	size_t count = regs_secrets(s->regs, all);
	bool newer = false;

	if (!s->port_up)
		return; /* nothing is published yet */
	for (size_t i = 0; i < s->topic_count; i++)
		if (!has(all, count, s->topic_secrets[i].number))
			withdraw_all(s, &s->topic_secrets[i], now);
	for (size_t i = 0; i < count; i++)
		newer |= !has(s->topic_secrets, s->topic_count, all[i].number);
	memcpy(s->topic_secrets, all, sizeof(all));
	s->topic_count = count;
	if (newer)
		publish_all(s, now);
	sodium_memzero(all, sizeof(all));
}

void ns_unpublish(struct ns *s, usec_t now)
{
	for (size_t i = 0; s->o->dht && i < s->topic_count; i++)
		withdraw_all(s, &s->topic_secrets[i], now);
	sodium_memzero(s->topic_secrets, sizeof(s->topic_secrets));
	s->topic_count = 0;
}
