/* fuzz_config.c - keeper configurations and settings, with a verifier that believes everything, so
 * that the fuzzer gets past signatures. What reads is internally consistent, has one encoding, and
 * follows what it says it follows. */
#include <string.h>

#include "dht/grant.h"
#include "tests/fuzz/fuzz.h"

static void no_sign(uint8_t sig[SIG_LEN], const struct key_pair *k, const char *label,
		    const void *msg, size_t len)
{
	(void)k;
	(void)label;
	(void)msg;
	(void)len;
	memset(sig, 0, SIG_LEN);
}

static const struct crypto dummy = { .verify = fuzz_believe, .key_valid = key_valid, .sign = no_sign };

/* What *cf names as its predecessor: three with a quorum of two. */
static void follow(const struct config *cf, const uint8_t *data, size_t len)
{
	struct config before = { .root = cf->root, .era = cf->era, .epoch = cf->epoch - 1,
				 .count = 3, .quorum = 2 };
	struct config next;

	if (cf->epoch < 2)
		return;
	memcpy(before.hash, cf->previous, sizeof(before.hash));
	if (config_read(&next, data, len, &cf->root, &before, &dummy) &&
	    ((size_t)next.body + 17 + 1 + 2 * (1 + SIG_LEN) > len ||
	     !config_body_read(&next, data, next.body, &before, &dummy)))
		__builtin_trap();
	before.epoch++;
	if (config_read(&next, data, len, &cf->root, &before, &dummy) ||
	    config_body_read(&next, data, cf->body, &before, &dummy))
		__builtin_trap();
}

static void settings_again(const struct settings *s, const uint8_t *data, size_t len)
{
	uint8_t out[SETTINGS_MAX];
	struct key_pair root = { .pub = s->root };

	if (settings_write(out, sizeof(out), s, &dummy, &root) != len ||
	    memcmp(out, data, len - SIG_LEN) != 0)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct settings s;
	struct config cf;
	struct pubkey root = { { 0 } };

	if (len > KEY_LEN)
		memcpy(root.b, data + 1, KEY_LEN);
	if (config_read(&cf, data, len, &root, NULL, &dummy) &&
	    (cf.len != len || cf.count > KEEPERS_MAX || cf.quorum > cf.count ||
	     config_member(&cf, &cf.members[cf.count - 1].node) != cf.count - 1))
		__builtin_trap();
	if (len <= SETTINGS_MAX && settings_read(&s, data, len, &root, &dummy))
		settings_again(&s, data, len);
	if (config_read_unproven(&cf, data, len, &root, &dummy))
		follow(&cf, data, len);
	if (config_read_unproven(&cf, data, len, &root, &dummy) &&
	    (cf.body >= len || config_peek(data, len).epoch != cf.epoch ||
	     config_body_write(cf.room, sizeof(cf.room), &cf) != cf.body ||
	     memcmp(cf.room, data, cf.body) != 0))
		__builtin_trap();
	if (settings_read(&s, data, len, &root, &dummy) &&
	    (s.admin_count > ADMINS_MAX || !s.name[0] || !settings_is_admin(&s, &root)))
		__builtin_trap();
	return 0;
}
