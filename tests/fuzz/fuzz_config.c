/* fuzz_config.c - keeper configurations and settings, with a verifier that believes everything, so
 * that the fuzzer gets past signatures. What reads is internally consistent. */
#include <string.h>

#include "dht/grant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool believe(const uint8_t sig[SIG_LEN], const struct pubkey *k, const char *label,
		    const void *msg, size_t len)
{
	(void)sig;
	(void)k;
	(void)label;
	(void)msg;
	(void)len;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct crypto dummy = { .verify = believe, .key_valid = key_valid };
	struct settings s;
	struct config cf;
	struct pubkey root = { { 0 } };

	if (len > KEY_LEN)
		memcpy(root.b, data + 1, KEY_LEN);
	if (config_read(&cf, data, len, &root, NULL, &dummy) &&
	    (cf.len != len || cf.count > KEEPERS_MAX || cf.quorum > cf.count ||
	     config_member(&cf, &cf.members[cf.count - 1].node) != cf.count - 1))
		__builtin_trap();
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
