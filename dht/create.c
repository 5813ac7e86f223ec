/* create.c - making a namespace: the creator becomes its only keeper and its first member.
 *
 * In this order, each step durable before the next: settings, secret number 1, the keeper's epoch
 * key and the genesis that names it; then MEMBER_SET for ourselves, signed by the root, through
 * the ordinary governed path; then the membership that comes out of it. Interrupted anywhere,
 * regs_create continues from what is there. */
#include "dht/regs_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"

#define TRIES_MAX 5
#define RETRY MSEC(500)
#define ALL_RIGHTS                                                                       \
	(RIGHT_KEEPER | RIGHT_RELAY | RIGHT_ROUTER | RIGHT_EDGE | RIGHT_PROXY | RIGHT_POLICY | \
	 RIGHT_FIXED | RIGHT_ADMIN)

static void end(struct regs *r, enum reg_status status, usec_t now)
{
	struct regs_event e = { .type = REGS_ENROLLED, .status = status };

	if (status == REG_OK) {
		e.grant = r->facts.membership;
		e.len = r->facts.membership_len;
		member_started(r, now);
	}
	create_fini(r);
	regs_tell(r, &e);
}

static void ask(struct regs *r, usec_t now)
{
	struct create *c = r->create;
	struct member_payload p = { .rights = ALL_RIGHTS }; /* dates and serial are the keeper's */
	uint8_t payload[REG_PAYLOAD_MAX];
	struct wr w = wr_of(payload, sizeof(payload));
	struct reg_op req = { .verb = OP_MEMBER_SET };
	struct client_ask a = { .internal = true, .req = &req, .signer = &c->root };

	memcpy(p.host, c->host, sizeof(c->host));
	wr_member_payload(&w, &p);
	req.name = reg_name_key(REG_MEMBER, r->cfg.self.pub.b, KEY_LEN);
	req.payload = payload;
	req.payload_len = wr_len(&w);
	assert(wr_ok(&w));
	c->asked = true; /* before: the answer may come from within */
	if (client_submit(r, &a, now) == 0)
		return;
	c->asked = false;
	timer_set(&r->timers, &c->timer, now + RETRY);
}

static void fire(struct timer *t, usec_t now)
{
	struct create *c = container_of(t, struct create, timer);

	create_settle(c->of, now);
}

void create_settle(struct regs *r, usec_t now)
{
	struct create *c = r->create;

	if (c && r->keeper && keeper_key_failed(r->keeper)) {
		end(r, REG_REFUSED, now); /* without an epoch key on the disk there is no keeper */
		return;
	}
	if (!c || !facts_durable(r))
		return;
	if (r->facts.membership && !restore_is_due(r))
		end(r, REG_OK, now);
	else if (!c->asked && regs_judges(r) && !timer_is_set(&c->timer))
		ask(r, now);
}

void create_result(struct regs *r, enum reg_status status, const uint8_t *grant, size_t len,
		   usec_t now)
{
	struct create *c = r->create;

	if (!c)
		return;
	c->asked = false;
	if (status == REG_OK && (facts_take_membership(r, grant, len) ||
				 (r->facts.membership && !restore_is_due(r))))
		return; /* create_settle ends it once it is durable */
	if (++c->tries == TRIES_MAX)
		end(r, status == REG_OK ? REG_REFUSED : status, now);
	else
		timer_set(&r->timers, &c->timer, now + RETRY);
}

static void first_secret(struct regs *r, usec_t now)
{
	struct regs_secret s = { .number = 1 };

	if (r->facts.secret_count)
		return;
	r->env.random(r->env.ctx, s.b, sizeof(s.b));
	facts_take_secrets(r, &s, 1, now);
	sodium_memzero(&s, sizeof(s));
}

void create_begin(struct regs *r, const struct key_pair *root, const char *host, usec_t now)
{
	struct create *c = r->create = mem_new(sizeof(*c));

	c->of = r;
	timer_init(&c->timer, fire);
	c->root = *root;
	memcpy(c->host, host, strlen(host));
	regs_settle(r, now);
}

int regs_create(struct regs *r, const struct key_pair *root, const struct settings *s,
		const char *host, usec_t now)
{
	uint8_t bytes[SETTINGS_MAX];
	struct config cf;
	size_t n;

	r->now = now;
	if (r->create || !key_equal(&root->pub, &r->cfg.root) || strlen(host) > MEMBER_HOST_MAX)
		return -EINVAL;
	if (r->facts.config && config_member(r->facts.config, &r->cfg.self.pub) < 0)
		return -EEXIST;
	n = settings_write(bytes, sizeof(bytes), s, r->cfg.crypto, root);
	if (!n || !(facts_take_settings(r, bytes, n) || r->facts.settings))
		return -EINVAL;
	first_secret(r, now);
	/* A crash or a failed write may have left a config whose key is lost: nothing was signed yet. */
	if (!regs_judges(r) && !r->facts.membership) {
		keeper_genesis(regs_keeper(r), root,
			       r->facts.config ? r->facts.config->era + 1 : 0, &cf, now);
		facts_own_config(r, &cf);
	}
	create_begin(r, root, host, now);
	return 0;
}

void create_fini(struct regs *r)
{
	struct create *c = r->create;

	if (!c)
		return;
	r->create = NULL;
	timer_cancel(&r->timers, &c->timer);
	sodium_memzero(c, sizeof(*c));
	free(c);
}
