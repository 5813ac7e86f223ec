/* client_keeper.c - which keeper an operation is sent to, and when to the next.
 *
 * All times of a client stand in one table. Two silent keepers of five cost an operation less than a
 * second, and those after it nothing: who did not answer is asked last. docs/protocol.md 8.5. */
#include "dht/client_impl.h"

#include "base/list.h"

const struct client_times client_times = {
	.end = MSEC(4700),
	.patience = { MSEC(250), MSEC(350), MSEC(600), MSEC(1200) },
	.usual_max = MSEC(1200),
	.silent = SEC(30),
	.settle = MSEC(300),
	.busy = MSEC(50),
};

static bool is_silent(const struct regs *r, size_t k)
{
	return (r->client.silent & 1u << k) && r->now < r->client.silent_until;
}

/* Those to ask, best first: who answers before who does not, attached before others, and of equals
 * the one that answered last. Never ourselves. */
static size_t keeper_order(const struct regs *r, uint8_t order[KEEPERS_MAX])
{
	const struct config *cf = r->facts.config;
	size_t count = 0;

	for (unsigned rank = 0; rank < 4; rank++)
		for (size_t i = 0; i < cf->count; i++) {
			size_t k = (r->client.prefer + i) % cf->count;
			const struct pubkey *key = &cf->members[k].node;

			if (!key_equal(key, &r->cfg.self.pub) &&
			    (is_silent(r, k) ? 2u : 0u) + !serve_peer(r, key) == rank)
				order[count++] = (uint8_t)k;
		}
	return count;
}

const struct pubkey *client_keeper(const struct regs *r, unsigned try)
{
	uint8_t order[KEEPERS_MAX];
	size_t count;

	if (!r->facts.config)
		return r->trusted_count ? &r->trusted[try % r->trusted_count] : NULL;
	if (regs_judges(r))
		return &r->cfg.self.pub;
	count = keeper_order(r, order);
	return count ? &r->facts.config->members[order[try % count]].node : NULL;
}

const struct pubkey *client_next_keeper(struct client_op *o)
{
	const struct regs *r = o->of;
	uint8_t order[KEEPERS_MAX];
	size_t count, i = 0;

	if (!r->facts.config || regs_judges(r))
		return client_keeper(r, o->tries);
	count = keeper_order(r, order);
	if (!count)
		return NULL;
	while (i < count && (o->asked & 1u << order[i]))
		i++;
	if (i == count) {
		o->asked = 0;
		i = 0;
	}
	o->asked |= (uint8_t)(1u << order[i]);
	o->last = order[i];
	return &r->facts.config->members[order[i]].node;
}

void client_keeper_is_silent(struct client_op *o)
{
	struct client *c = &o->of->client;

	if (!o->asked)
		return;
	if (o->of->now >= c->silent_until)
		c->silent = 0;
	c->silent |= (uint8_t)(1u << o->last);
	c->silent_until = o->of->now + client_times.silent;
}

void client_keeper_answered(struct client_op *o, size_t k, usec_t now)
{
	struct client *c = &o->of->client;

	c->prefer = k;
	c->silent &= (uint8_t)~(1u << k);
	if (o->tries == 1) /* of a repeated one it is not known which was answered */
		c->usual = c->usual ? (7 * c->usual + (now - o->sent)) / 8 : now - o->sent;
}

usec_t client_patience(const struct client_op *o)
{
	const size_t most = ARRAY_LEN(client_times.patience);
	size_t n = o->tries <= most ? o->tries : most;
	usec_t usual = usec_min(2 * o->of->client.usual, client_times.usual_max);

	return client_times.patience[n - 1] > usual ? client_times.patience[n - 1] : usual;
}
