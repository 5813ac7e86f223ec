/* regs_witness.c - every grant that this node is to believe passes here once it has verified.
 *
 * The first alarm about a register is told (REGS_DISPUTED), so that the owner of this module can
 * look for the other grant: with both at hand the evidence is whole. One line in the log for each. */
#include <stdio.h>

#include "dht/regs_impl.h"
#include "dht/witness.h"

static struct witness *witness_of(struct regs *r)
{
	uint8_t seed[16];

	if (!r->witness) {
		r->env.random(r->env.ctx, seed, sizeof(seed));
		r->witness = witness_new(seed);
	}
	return r->witness;
}

static void name_text(char *out, size_t size, const struct reg_name *name)
{
	char ip_txt[IP_TEXT_LEN];
	struct ip ip = { .len = 4 };

	if (name->kind == REG_ADDRESS) {
		memcpy(ip.b, name->b, 4);
		ip_text(ip_txt, &ip);
		snprintf(out, size, "%s", ip_txt);
	} else if (name->kind == REG_HOST_NAME) {
		snprintf(out, size, "%.*s", name->len, (const char *)name->b);
	} else {
		snprintf(out, size, "register of kind %u", name->kind);
	}
}

/* The line: what, of what, and which keepers did it. */
static void evidence_log(const struct regs *r, const struct evidence *e)
{
	char name[REG_NAME_MAX + 1], key[KEY_TEXT_LEN], liars[KEEPERS_MAX * (KEY_TEXT_LEN + 2) + 1];
	size_t at = 0;

	liars[0] = 0;
	for (size_t i = 0; i < e->liars; i++) {
		key_text(key, &e->liar[i]);
		at += (size_t)snprintf(liars + at, sizeof(liars) - at, "%s%s", at ? ", " : "", key);
	}
	name_text(name, sizeof(name), &e->name);
	log_error(r->cfg.log, "%s: %s %llu; none is believed. Keepers behind both: %s "
			      "(`vpnctl keepers`)", name, evidence_text(e->kind),
		  (unsigned long long)e->generation, liars[0] ? liars : "not known yet");
}

static void alarm(struct regs *r, const uint8_t *b, size_t len)
{
	const struct regs_event told = { .type = REGS_DISPUTED, .grant = b, .len = len };
	const struct evidence *e = NULL, *next;

	for (size_t i = 0; (next = witness_evidence(r->witness, i)); i++)
		e = next;
	if (e && witness_count(r->witness) <= EVIDENCE_MAX)
		evidence_log(r, e);
	regs_tell(r, &told);
}

bool regs_believe(struct regs *r, const struct grant *g, const uint8_t *b, size_t len)
{
	struct witness_view v = { g, b, len,
				  facts_config_of(r, g->ballot.era, g->ballot.epoch) };
	enum witness_word word;

	if (!v.config)
		return false;
	word = witness_judge(witness_of(r), &v);
	if (word == WITNESS_ALARM)
		alarm(r, b, len);
	return word == WITNESS_NEW || word == WITNESS_SAME;
}

void regs_report(struct regs *r, const struct evidence *e)
{
	const struct pubkey *liar = e->liars ? &e->liar[0] : NULL;

	if (witness_report(witness_of(r), e->kind, &e->name, e->generation, liar))
		evidence_log(r, e);
}

const struct evidence *regs_evidence(const struct regs *r, size_t i)
{
	return witness_evidence(r->witness, i);
}

uint64_t regs_evidence_count(const struct regs *r) { return witness_count(r->witness); }
