/* client_keeper.c - which keeper an operation is sent to, and when to the next.
 *
 * All times of a client stand in one table. Two silent keepers of five cost an operation less than a
 * second, and those after it nothing: who did not answer is asked last. A keeper that answers others
 * of our operations is busy, not silent: a copy to the next would only make two keepers propose the
 * same, and both slower. How long answers take is counted from the first copy that the keeper got,
 * so that it is known also when everything has been repeated. Of many leases so many operations are
 * under way as add QUEUE_WANTED to the quickest grant: the window grows by one with each grant in
 * that time, and by a quarter smaller it gets, once in such a time, when they take twice as much
 * longer (as TCP Vegas does, Brakmo et al. 1994). docs/protocol.md 8.5. */
#include "dht/client_impl.h"

#include "base/list.h"
#include "base/mem.h"
#include "dht/judge.h"

#define WINDOW_FIRST 32
#define WINDOW_LEAST 8
#define WINDOW_MOST (REGS_OPS_MAX - 16) /* the rest is for what else this node or a person asks */
#define QUEUE_WANTED MSEC(200)

const struct client_times client_times = {
	.end = MSEC(4700),
	.patience = { MSEC(250), MSEC(350), MSEC(600), MSEC(1200) },
	.usual_max = MSEC(1200),
	.queue = MSEC(2400),
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
	if (!o->first[o->last])
		o->first[o->last] = r->now;
	return &r->facts.config->members[order[i]].node;
}

enum refusal client_refused(struct refusals *f, const struct config *cf, size_t k,
			    enum reg_status why)
{
	uint8_t before;

	if (f->era != cf->era || f->epoch != cf->epoch)
		*f = (struct refusals){ .era = cf->era, .epoch = cf->epoch };
	before = f->by[why];
	f->by[why] |= (uint8_t)(1u << k);
	if (__builtin_popcount(f->by[why]) > judge_liars(cf))
		return REFUSAL_COUNTS;
	return f->by[why] == before ? REFUSAL_REPEATED : REFUSAL_NEW;
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

usec_t client_keeper_works(const struct client_op *o)
{
	const struct config *cf = o->of->facts.config;
	usec_t heard = o->of->client.load->heard[o->last];
	usec_t queue = client_times.queue;

	if (!o->asked || heard <= o->sent)
		return 0;
	if (cf)
		queue /= 1u + judge_liars(cf); /* liars, one after the other, have no more of our time */
	return usec_min(heard + client_patience(o), o->sent + queue);
}

static bool is_of_owners(uint8_t verb) { return verb >= OP_CLAIM && verb <= OP_TRANSFER; }

static void window_learn(struct client_load *l, usec_t took, usec_t now)
{
	if (!l->best || took < l->best)
		l->best = took;
	if (took <= l->best + QUEUE_WANTED) {
		l->window += l->window < WINDOW_MOST;
	} else if (took > l->best + 2 * QUEUE_WANTED && now >= l->cut + took) {
		l->cut = now;
		l->window -= l->window / 4;
		if (l->window < WINDOW_LEAST)
			l->window = WINDOW_LEAST;
	}
}

void client_keeper_answered(struct client_op *o, size_t k, enum reg_status status, usec_t now)
{
	struct client *c = &o->of->client;
	usec_t took = now - o->first[k];

	c->prefer = k;
	c->silent &= (uint8_t)~(1u << k);
	if (status == REG_NO_QUORUM || status == REG_OTHER_EPOCH)
		return;
	c->load->heard[k] = now;
	if (!o->first[k])
		return;
	c->usual = c->usual ? (7 * c->usual + took) / 8 : took;
	if (status == REG_OK && is_of_owners(o->verb)) /* refusals, and "busy", are said at once */
		window_learn(c->load, took, now);
}

struct client_load *client_load_new(void)
{
	struct client_load *l = mem_new(sizeof(*l));

	l->window = WINDOW_FIRST;
	return l;
}

bool client_has_room(const struct client *c, uint8_t verb)
{
	return c->count < (is_of_owners(verb) && c->load ? c->load->window : REGS_OPS_MAX);
}

usec_t client_patience(const struct client_op *o)
{
	const size_t most = ARRAY_LEN(client_times.patience);
	size_t n = o->tries <= most ? o->tries : most;
	usec_t usual = usec_min(2 * o->of->client.usual, client_times.usual_max);

	return client_times.patience[n - 1] > usual ? client_times.patience[n - 1] : usual;
}
