/* restore_kit.h - keepers that are lost, and the era that the root begins after them. */
#ifndef TESTS_UNIT_RESTORE_KIT_H
#define TESTS_UNIT_RESTORE_KIT_H

#include "tests/unit/regs_people.h"

struct backup {
	uint8_t settings[SETTINGS_MAX], config[CONFIG_MAX];
	size_t settings_len, config_len, secret_count;
	struct regs_secret secrets[2];
};

static inline void backup_make(struct backup *b, const struct rw_node *n)
{
	const struct config *cf = regs_keepers(n->regs);
	const uint8_t *settings;

	b->settings_len = regs_settings_bytes(n->regs, &settings);
	memcpy(b->settings, settings, b->settings_len);
	b->config_len = cf->len;
	memcpy(b->config, cf->bytes, cf->len);
	b->secret_count = regs_secrets(n->regs, b->secrets);
}

static inline struct regs_estate estate_of(const struct backup *b)
{
	return (struct regs_estate){ b->settings, b->config, b->settings_len, b->config_len,
				     b->secrets, b->secret_count };
}

/* A new machine, with a new key. */
static inline struct rw_node *restored(struct rw_world *w, const struct backup *b)
{
	struct rw_node *n = rw_add(w);
	struct regs_estate e = estate_of(b);
	const struct rw_event *ev;

	CHECK_EQ_INT(regs_adopt(n->regs, &e, w->now), 0);
	CHECK_EQ_INT(regs_reset_era(n->regs, &w->root, "again", w->now), 0);
	rw_run(w, SEC(2));
	ev = rw_find(n, REGS_ENROLLED, 0);
	CHECK(ev && ev->e.status == REG_OK && regs_is_keeper(n->regs));
	return n;
}

static inline void dies(struct rw_node *n)
{
	rw_stop(n, false);
	n->cut = true;
}

static inline void hears(struct rw_node *n, const struct rw_node *of)
{
	uint8_t hint[HINT_MAX];
	size_t len = regs_hint(of->regs, hint, sizeof(hint));

	CHECK(regs_offer_hint(n->regs, hint, len, n->w->now));
}

#endif
