/* keeper_peers.c - what keepers tell each other of themselves: STATE, docs/protocol.md 8.9.
 *
 * Members of the newest set, of the one before it, and of the one that is planned exchange STATE every
 * two seconds (jittered) while the set changes, every six when nothing happens. It shows who is there,
 * who serves, who has lost its state, and it is how a keeper that was away is met again: whoever knows
 * a newer set shows the chain to whoever knows an older one. When two hear each other again, both ask
 * for the list of revoked members. A keeper alone, with nobody planned, says nothing. */
#include "dht/keeper_impl.h"

#define TELL SEC(6)
#define TELL_CHANGING SEC(2)
#define CHANGED_LATELY SEC(10)
#define REACHABLE SEC(20)
#define LOOK_AFTER MSEC(500) /* at the list of revoked members, when we may have missed some */

static struct keeper_peer *find(struct keeper_peer *peers, size_t count, const struct pubkey *node)
{
	for (size_t i = 0; i < count; i++)
		if (key_equal(&peers[i].node, node))
			return &peers[i];
	return NULL;
}

struct keeper_peer *peers_find(const struct keeper_role *k, const struct pubkey *node)
{
	return find((struct keeper_peer *)k->peers, k->peer_count, node);
}

bool peers_is_planned(const struct keeper_role *k, const struct pubkey *node)
{
	for (size_t i = 0; k->now < k->planned_until && i < k->planned_count; i++)
		if (key_equal(&k->planned[i], node))
			return true;
	return false;
}

struct peers {
	struct keeper_peer peer[PEERS_MAX];
	size_t count;
};

static void add(struct keeper_role *k, struct peers *was, const struct pubkey *node)
{
	const struct keeper_peer *old = find(was->peer, was->count, node);

	if (key_equal(node, &k->cfg.self.pub) || peers_find(k, node) || k->peer_count == PEERS_MAX)
		return;
	k->peers[k->peer_count++] = old ? *old : (struct keeper_peer){ .node = *node };
}

static void add_all(struct keeper_role *k, struct peers *was, const struct config *cf)
{
	for (size_t i = 0; cf && i < cf->count; i++)
		add(k, was, &cf->members[i].node);
}

void peers_aim(struct keeper_role *k)
{
	const struct config *cf = k->env.config(k->env.ctx);
	struct peers was = { .count = k->peer_count };

	memcpy(was.peer, k->peers, sizeof(was.peer));
	k->peer_count = 0;
	add_all(k, &was, cf);
	if (cf && cf->epoch > 1)
		add_all(k, &was, k->env.config_of(k->env.ctx, cf->era, cf->epoch - 1));
	for (size_t i = 0; k->now < k->planned_until && i < k->planned_count; i++)
		add(k, &was, &k->planned[i]);
	if (k->peer_count && k->next_state == USEC_NEVER)
		k->next_state = k->now;
}

static void tell(struct keeper_role *k, const struct pubkey *to)
{
	struct regmsg m = { .type = REGMSG_STATE, .request = ++k->next_request, .at = k->seen };

	memcpy(m.nsid, k->nsid, NSID_LEN);
	m.state = (struct keeper_state){ .served = epoch_served(k),
					 .sealed = k->acceptor.sealed_durably,
					 .incarnation = k->incarnation,
					 .starts = k->starts,
					 .position = k->acceptor.durable,
					 .cells = k->acceptor.cells.count,
					 .wall = keeper_wall(k) };
	m.state.behind = epoch_is(m.state.served, k->seen) ? 0 : copies_behind(k);
	keeper_message(k, to, &m);
}

static usec_t tell_gap(const struct keeper_role *k)
{
	bool changes = k->now < k->planned_until || k->acceptor.sealed ||
		       k->now < k->seen_at + CHANGED_LATELY;

	return changes ? TELL_CHANGING : TELL;
}

void peers_tell(struct keeper_role *k)
{
	usec_t gap = tell_gap(k);
	uint32_t draw;

	k->next_state = USEC_NEVER;
	if (!k->peer_count || !k->seen.epoch)
		return;
	for (size_t i = 0; i < k->peer_count; i++)
		tell(k, &k->peers[i].node);
	k->env.random(k->env.ctx, &draw, sizeof(draw));
	k->next_state = k->now + gap * 3 / 4 + draw % (gap / 2);
}

void peers_meet(struct keeper_role *k, const struct pubkey *from, struct epoch_at at)
{
	if (epoch_is(at, k->seen) || !limit_take(&k->leads, k->now))
		return;
	if (epoch_is_newer(k->seen, at))
		k->env.lead(k->env.ctx, from, at.era, at.epoch);
	else
		tell(k, from);
}

/* From a stranger only what says that one of us is behind. */
void peers_state(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m)
{
	struct keeper_peer *p = peers_find(k, from);

	if (p) {
		if (epoch_config(k) && /* else we shall copy all there is */
		    (!p->heard || k->now >= p->heard + REACHABLE)) { /* one of us was away */
			k->missed_revocations = true;
			k->look_at_revocations = usec_min(k->look_at_revocations, k->now + LOOK_AFTER);
		}
		p->at = m->at;
		p->state = m->state;
		p->heard = k->now;
	}
	peers_meet(k, from, m->at);
}

static bool has_installed(const struct keeper_role *k, const struct keeper *m)
{
	const struct keeper_peer *p = peers_find(k, &m->node);

	if (key_equal(&m->node, &k->cfg.self.pub))
		return epoch_standing(k) == STANDING_SERVES;
	return p && p->state.incarnation == m->incarnation &&
	       (epoch_is(p->state.served, k->seen) || epoch_is_newer(p->state.served, k->seen));
}

size_t peers_installed(const struct keeper_role *k)
{
	const struct config *cf = k->env.config(k->env.ctx);
	size_t count = 0;

	for (size_t i = 0; cf && i < cf->count; i++)
		count += has_installed(k, &cf->members[i]);
	return count;
}

static void info_of(const struct keeper_role *k, const struct keeper *m, struct keeper_info *out)
{
	const struct keeper_peer *p = peers_find(k, &m->node);

	*out = (struct keeper_info){ .node = m->node, .installed = has_installed(k, m) };
	if (key_equal(&m->node, &k->cfg.self.pub)) {
		out->reachable = true;
		out->sealed = k->acceptor.sealed;
		out->lost = m->incarnation != k->incarnation;
		out->heard = k->now;
	} else if (p && p->heard) {
		out->reachable = k->now < p->heard + REACHABLE;
		out->sealed = p->state.sealed;
		out->lost = epoch_is(p->at, k->seen) && p->state.incarnation != m->incarnation;
		out->behind = p->state.behind;
		out->heard = p->heard;
	}
}

size_t keeper_infos(const struct keeper_role *k, struct keeper_info out[KEEPERS_MAX], usec_t now)
{
	const struct config *cf = k->env.config(k->env.ctx);
	struct keeper_role *mine = (struct keeper_role *)k;

	mine->now = now;
	if (!cf || config_member(cf, &k->cfg.self.pub) < 0)
		return 0;
	for (size_t i = 0; i < cf->count; i++)
		info_of(k, &cf->members[i], &out[i]);
	return cf->count;
}
