/* node_health.c - what deserves attention: one row for each thing that can be wrong, in the order
 * of gravity. A row looks at what the node knows and writes one line, or none. */
#include "cmd/node_health.h"

#include <stdio.h>
#include <string.h>

#include "cmd/node_internal.h"

#define LIFE_DAYS 30 /* of a membership; of an ephemeral one a day */
#define NAMED_MAX 3  /* candidates in one line */

struct look {
	const struct node *n;
	const struct ns *s;
	uint16_t ns;
	usec_t now;
	struct node_keepers_info k;
};

void node_span_text(uint64_t s, char *out, size_t size)
{
	static const struct {
		uint64_t below, unit;
		const char *name;
	} rows[] = {
		{ 120, 1, "s" }, { 7200, 60, "min" }, { 172800, 3600, "h" }, { UINT64_MAX, 86400, "days" },
	};
	size_t i = 0;

	while (s >= rows[i].below && i + 1 < ARRAY_LEN(rows))
		i++;
	snprintf(out, size, "%llu %s", (unsigned long long)(s / rows[i].unit), rows[i].name);
}

const char *node_lease_advice(enum lease_state s)
{
	static const char *const text[] = {
		[LEASE_WAITING] = "not usable yet: no majority of the keepers answers; it goes on by itself "
				  "(`vpnctl keepers`)",
		[LEASE_CLAIMING] = "not usable yet: a keeper is being asked, which takes a second or two",
		[LEASE_RENEW_FIRST] = "owned before the restart, usable after one renewal, which needs a "
				      "majority of the keepers (`vpnctl keepers`)",
		[LEASE_HELD] = "in use; renewed by itself from half of its time on",
		[LEASE_RENEWING] = "in use; a keeper is being asked for more time",
		[LEASE_AT_RISK] = "in use until its time is over: no majority of the keepers answers "
				  "(`vpnctl keepers` shows which are missing)",
		[LEASE_HANDING] = "not in use: being handed over; it comes back when the other does not take "
				  "it (`vpnctl lease list`)",
		[LEASE_LOST] = "gone: given back, or owned by another; the next one is claimed by itself "
			       "(`vpnctl status`)",
	};
	_Static_assert(ARRAY_LEN(text) == LEASE_STATE_COUNT, "every state says what to do");

	return (unsigned)s < ARRAY_LEN(text) && text[s] ? text[s] : "unknown";
}

void node_candidate_text(const struct candidate *c, uint8_t most, char *out, size_t size)
{
	static const char *const text[] = {
		[CANDIDATE_READY] = "joins within minutes",
		[CANDIDATE_ABSENT] = "is not there",
		[CANDIDATE_PROOF] = "joins when it has been there longer",
		[CANDIDATE_PAIR] = "waits for one more: there are 1, 3, 5 or 7 keepers",
		[CANDIDATE_FULL] = "is a spare",
		[CANDIDATE_MANUAL] = "is for people to add (`vpnctl keepers add`)",
	};
	char span[24];

	_Static_assert(ARRAY_LEN(text) == CANDIDATE_WAIT_COUNT, "every reason has a text");
	node_span_text((c->left + SEC(1) - 1) / SEC(1), span, sizeof(span));
	if (c->wait == CANDIDATE_PROOF)
		snprintf(out, size, "joins when it has been there for %s more", span);
	else if (c->wait == CANDIDATE_FULL)
		snprintf(out, size, "is a spare: the settings allow %u keepers", most);
	else
		snprintf(out, size, "%s",
			 (unsigned)c->wait < ARRAY_LEN(text) ? text[c->wait] : "unknown");
}

/* --- the rows --- */

static bool forked(const struct look *l, char *out)
{
	if (!regs_is_forked(l->s->regs))
		return false;
	snprintf(out, NODE_HEALTH_MAX, "two different keeper sets were made of one: no keeper serves "
		 "either; `vpnctl keepers reset` on the node with the root key begins anew");
	return true;
}

static bool quorum(const struct look *l, char *out)
{
	const struct node_keepers_info *k = &l->k;

	if (!k->here || k->count < 2 || k->reachable > k->quorum)
		return false;
	if (k->reachable < k->quorum)
		snprintf(out, NODE_HEALTH_MAX, "%u of %u keepers reachable: too few to decide, nothing is "
			 "leased or renewed; bring one back, or if they are gone for good, `vpnctl "
			 "keepers reset` on the node with the root key", k->reachable, k->count);
	else if (k->reachable < k->count)
		snprintf(out, NODE_HEALTH_MAX, "%u of %u keepers reachable: one more loss, and nothing is "
			 "leased or renewed; `vpnctl keepers` shows which is missing", k->reachable,
			 k->count);
	else
		return false;
	return true;
}

static size_t name_candidates(const struct look *l, char *out, size_t size)
{
	size_t at = 0, count = 0, len = 0;
	struct candidate c;

	out[0] = 0;
	while (node_candidate_next(l->n, l->ns, &at, &c, l->now)) {
		char name[64], why[100], key[KEY_TEXT_LEN];

		if (++count > NAMED_MAX || len >= size)
			continue;
		node_member_name(l->n, l->ns, &c.node, name);
		key_text(key, &c.node);
		node_candidate_text(&c, l->k.most, why, sizeof(why));
		len += (size_t)snprintf(out + len, size - len, "%s%s (%s)", count > 1 ? ", " : "",
					name[0] ? name : key, why);
	}
	return count;
}

static bool fragile(const struct look *l, char *out)
{
	const struct node_keepers_info *k = &l->k;
	char names[300];
	size_t count = name_candidates(l, names, sizeof(names));

	if (k->count != 1)
		return false;
	if (!k->here)
		snprintf(out, NODE_HEALTH_MAX, "1 keeper: fragile; new addresses need that node, where "
			 "`vpnctl keepers` names who may join it");
	else if (!k->most)
		snprintf(out, NODE_HEALTH_MAX, "1 keeper: fragile; people choose the keepers here: `vpnctl "
			 "keepers add NAME NAME` makes three");
	else if (k->most == 1)
		snprintf(out, NODE_HEALTH_MAX, "1 keeper: fragile; the settings want it so; `vpnctl keepers "
			 "max 5` allows more");
	else if (count < 2)
		snprintf(out, NODE_HEALTH_MAX, "1 keeper: fragile; it takes two more members with the right: "
			 "`vpnctl member set NAME --right keeper`%s%s", count ? "; there is " : "", names);
	else
		snprintf(out, NODE_HEALTH_MAX, "1 keeper: fragile; candidates: %s; `vpnctl keepers grow` "
			 "does not wait", names);
	return true;
}

static bool contradicted(const struct look *l, char *out)
{
	uint64_t count = regs_evidence_count(l->s->regs);

	if (!count)
		return false;
	snprintf(out, NODE_HEALTH_MAX, "keepers have contradicted themselves (%llu seen); what is in "
		 "dispute is refused; `vpnctl keepers` shows who", (unsigned long long)count);
	return true;
}

static bool membership(const struct look *l, char *out)
{
	struct member_payload mp;
	const uint8_t *b;
	size_t len = regs_membership(l->s->regs, &b);
	uint64_t wall = wall_seconds(&l->n->wall, l->now), life;
	struct grant g;
	char span[24];

	if (!len || !grant_read(&g, b, len) || !member_payload_read(&mp, g.payload, g.payload_len))
		return false;
	life = (mp.ephemeral ? 1 : LIFE_DAYS) * UINT64_C(86400);
	if (mp.not_after >= wall + life / 4)
		return false;
	node_span_text(mp.not_after > wall ? mp.not_after - wall : 0, span, sizeof(span));
	if (mp.not_after > wall)
		snprintf(out, NODE_HEALTH_MAX, "this membership ends in %s and was not renewed: no keeper "
			 "was reached lately (`vpnctl keepers`, `vpnctl peers`)", span);
	else
		snprintf(out, NODE_HEALTH_MAX, "this membership has ended; it is renewed as soon as a keeper "
			 "is reached (`vpnctl keepers`, `vpnctl peers`)");
	return true;
}

static void lease_text(const struct lease_info *li, char *out, size_t size)
{
	struct ip ip = { .len = li->name.len };

	if (li->name.kind != REG_ADDRESS) {
		snprintf(out, size, "name %.*s", li->name.len, li->name.b);
		return;
	}
	memcpy(ip.b, li->name.b, sizeof(ip.b));
	snprintf(out, size, "address ");
	ip_text(out + strlen(out), &ip);
}

/* The first that is in danger, or not usable for want of keepers; others are in the same boat. */
static bool lease(const struct look *l, char *out)
{
	char text[80], span[24];
	struct lease_info li;
	size_t at = 0;

	while (node_lease_next(l->n, l->ns, &at, &li, l->now)) {
		if (li.state != LEASE_AT_RISK && li.state != LEASE_WAITING &&
		    li.state != LEASE_RENEW_FIRST)
			continue;
		lease_text(&li, text, sizeof(text));
		node_span_text(li.left / SEC(1), span, sizeof(span));
		snprintf(out, NODE_HEALTH_MAX, "%s: %s%s%s; %s", text, lease_state_text(li.state),
			 li.left ? ", left " : "", li.left ? span : "", node_lease_advice(li.state));
		return true;
	}
	return false;
}

static bool (*const rows[])(const struct look *l, char *out) = {
	forked, quorum, contradicted, lease, membership, fragile,
};

bool node_health_next(const struct node *n, uint16_t ns, size_t *at, char out[NODE_HEALTH_MAX],
		      usec_t now)
{
	struct look l = { .n = n, .ns = ns, .now = now,
			  .s = ns < NODE_NAMESPACES_MAX ? n->ns[ns] : NULL };

	if (!l.s)
		return false;
	node_keepers_info(n, ns, &l.k, now);
	while (*at < ARRAY_LEN(rows))
		if (rows[(*at)++](&l, out))
			return true;
	return false;
}
