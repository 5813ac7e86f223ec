/* facts_store.c - the durable copy of each fact.
 *
 * Each has one key of one letter on disk and a version: a change raises it, and while a write is
 * under way the next one waits, so the last write is always the newest. A write that fails or is
 * never answered is repeated. The sixth piece is the mark below which operation numbers may be
 * used. Configurations before the newest have records of their own: facts_chain.c. What is held at a start comes from our own disk: signatures of grants were checked
 * before. */
#include "dht/regs_impl.h"

#include <assert.h>
#include <stdlib.h>

#include "base/list.h"

#define WRITE_AGAIN SEC(1) /* after a failure */
#define WRITE_LOST SEC(5)  /* no answer at all */
#define RECORD_MAX (GRANT_MAX + 64)

static void config_out(struct regs *r, struct wr *w)
{
	wr_copy(w, r->facts.config->bytes, r->facts.config->len);
}

static bool config_in(struct regs *r, struct rd *in)
{
	size_t len = rd_left(in);
	struct config c;

	if (!config_read_unproven(&c, rd_bytes(in, len), len, &r->cfg.root, r->cfg.crypto))
		return false;
	free(r->facts.config);
	r->facts.config = chain_copy(&c);
	return true;
}

static void settings_out(struct regs *r, struct wr *w)
{
	wr_copy(w, r->facts.settings_bytes, r->facts.settings_len);
}

static bool settings_in(struct regs *r, struct rd *in)
{
	size_t len = rd_left(in);
	const uint8_t *b = rd_bytes(in, len);
	struct settings s;

	if (len > SETTINGS_MAX || !settings_read(&s, b, len, &r->cfg.root, r->cfg.crypto))
		return false;
	facts_keep_settings(r, &s, b, len);
	return true;
}

static void secrets_out(struct regs *r, struct wr *w)
{
	const struct facts *f = &r->facts;

	wr_u64(w, f->rotated);
	wr_u64(w, f->rotated_for);
	wr_u8(w, (uint8_t)f->secret_count);
	for (size_t i = 0; i < f->secret_count; i++) {
		wr_u32(w, f->secrets[i].number);
		wr_copy(w, f->secrets[i].b, sizeof(f->secrets[i].b));
	}
}

static bool secrets_in(struct regs *r, struct rd *in)
{
	struct facts *f = &r->facts;
	uint64_t rotated = rd_u64(in), rotated_for = rd_u64(in);
	size_t count = rd_u8(in);
	struct regs_secret s[2] = { 0 };

	for (size_t i = 0; i < count && i < ARRAY_LEN(s); i++) {
		s[i].number = rd_u32(in);
		rd_copy(in, s[i].b, sizeof(s[i].b));
	}
	if (!rd_done(in) || count == 0 || count > ARRAY_LEN(s))
		return false;
	memcpy(f->secrets, s, sizeof(s));
	f->secret_count = count;
	f->rotated = rotated;
	f->rotated_for = rotated_for;
	return true;
}

static void membership_out(struct regs *r, struct wr *w)
{
	wr_copy(w, r->facts.membership, r->facts.membership_len);
}

static bool membership_in(struct regs *r, struct rd *in)
{
	struct reg_name own = reg_name_key(REG_MEMBER, r->cfg.self.pub.b, KEY_LEN);
	size_t len = rd_left(in);
	const uint8_t *b = rd_bytes(in, len);
	struct grant g;

	return grant_read(&g, b, len) && reg_name_equal(&g.name, &own) &&
	       facts_set_membership(r, &g, b, len);
}

static void revocations_out(struct regs *r, struct wr *w)
{
	wr_copy(w, r->facts.revocations, r->facts.revocations_len);
}

static bool revocations_in(struct regs *r, struct rd *in)
{
	struct reg_name name = reg_name_key(REG_REVOCATION, NULL, 0);
	size_t len = rd_left(in);
	const uint8_t *b = rd_bytes(in, len);
	struct grant g;

	return grant_read(&g, b, len) && reg_name_equal(&g.name, &name) &&
	       facts_set_revocations(r, &g, b, len);
}

static void numbers_out(struct regs *r, struct wr *w)
{
	r->client.writing = r->client.reserved;
	wr_u64(w, r->client.reserved);
}

static bool numbers_in(struct regs *r, struct rd *in)
{
	uint64_t n = rd_u64(in);

	if (!rd_done(in))
		return false;
	r->client.next = r->client.reserved = r->client.safe = n;
	return true;
}

static const struct {
	uint8_t key;
	void (*out)(struct regs *r, struct wr *w);
	bool (*in)(struct regs *r, struct rd *in);
} rows[] = {
	[FACT_CONFIG] = { 'c', config_out, config_in },
	[FACT_SETTINGS] = { 's', settings_out, settings_in },
	[FACT_SECRETS] = { 'x', secrets_out, secrets_in },
	[FACT_MEMBERSHIP] = { 'm', membership_out, membership_in },
	[FACT_REVOCATIONS] = { 'v', revocations_out, revocations_in },
	[FACT_NUMBERS] = { 'n', numbers_out, numbers_in },
};
_Static_assert(ARRAY_LEN(rows) == FACT_COUNT, "every fact has a row");

bool facts_restore(struct regs *r, const uint8_t *key, size_t key_len, const uint8_t *value,
		   size_t len)
{
	struct rd in = rd_of(value, len);

	if (facts_chain_restore(r, key, key_len, value, len))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(rows) && key_len == 1 && len > 0; i++)
		if (key[0] == rows[i].key) {
			if (!rows[i].in(r, &in))
				return false;
			r->facts.disk[i].version = r->facts.disk[i].durable = 1;
			return true;
		}
	return false;
}

static void flush(struct regs *r, enum fact f)
{
	struct fact_disk *d = &r->facts.disk[f];
	uint8_t value[RECORD_MAX];
	struct wr w = wr_of(value, sizeof(value));

	rows[f].out(r, &w);
	assert(wr_ok(&w));
	d->writing = d->version;
	d->op = ++r->facts.last_op;
	d->since = r->now;
	r->env.persist(r->env.ctx, d->op, &rows[f].key, 1, value, wr_len(&w));
	if (!timer_is_set(&r->facts.timer))
		timer_set(&r->timers, &r->facts.timer, r->now + WRITE_LOST);
	sodium_memzero(value, sizeof(value));
}

void facts_write(struct regs *r, enum fact f)
{
	struct fact_disk *d = &r->facts.disk[f];

	d->version++;
	if (!d->op)
		flush(r, f);
}

static bool is_behind(const struct fact_disk *d)
{
	return d->durable != d->version;
}

static void retry(struct timer *t, usec_t now)
{
	struct regs *r = container_of(container_of(t, struct facts, timer), struct regs, facts);

	for (size_t i = 0; i < FACT_COUNT; i++) {
		struct fact_disk *d = &r->facts.disk[i];

		if (is_behind(d) && (!d->op || now - d->since >= WRITE_LOST))
			flush(r, (enum fact)i);
	}
	facts_chain_write(r);
	if (!facts_durable(r) && !timer_is_set(t))
		timer_set(&r->timers, t, now + WRITE_AGAIN);
}

void facts_persisted(struct regs *r, uint64_t op, int result, usec_t now)
{
	if (facts_chain_persisted(r, op, result))
		return;
	for (size_t i = 0; i < FACT_COUNT; i++) {
		struct fact_disk *d = &r->facts.disk[i];

		if (!d->op || d->op != op)
			continue;
		d->op = 0;
		if (result < 0) {
			timer_set(&r->timers, &r->facts.timer, now + WRITE_AGAIN);
			return;
		}
		d->durable = d->writing;
		if (i == FACT_NUMBERS)
			client_numbers_safe(r, now);
		if (is_behind(d))
			flush(r, (enum fact)i);
		return;
	}
}

bool facts_durable(const struct regs *r)
{
	for (size_t i = 0; i < FACT_COUNT; i++)
		if (is_behind(&r->facts.disk[i]))
			return false;
	return facts_chain_durable(r);
}

bool facts_config_durable(const struct regs *r)
{
	return !is_behind(&r->facts.disk[FACT_CONFIG]);
}

void facts_init(struct regs *r)
{
	timer_init(&r->facts.timer, retry);
}

void facts_fini(struct regs *r)
{
	timer_cancel(&r->timers, &r->facts.timer);
	facts_chain_fini(r);
	free(r->facts.config);
	free(r->facts.settings);
	free(r->facts.settings_bytes);
	free(r->facts.membership);
	free(r->facts.revocations);
	free(r->facts.revoked);
	sodium_memzero(r->facts.secrets, sizeof(r->facts.secrets));
}
