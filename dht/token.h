/* token.h - the one pasteable line that admits a node. Public. docs/protocol.md 7.3. */
#ifndef DHT_TOKEN_H
#define DHT_TOKEN_H

#include "dht/grant.h"

#define TOKEN_TEXT_MAX 1600
#define TOKEN_CONTACTS_MAX 4
#define TOKEN_CONTACT_ADDRS 3

struct token_contact {
	struct pubkey key;
	uint8_t addr_count;
	struct addr addrs[TOKEN_CONTACT_ADDRS];
};

struct token {
	struct pubkey root;
	uint8_t rendezvous[32], overlay_key[32];
	struct checkpoint checkpoint;
	uint8_t seed[SEED_LEN];
	uint8_t contact_count;
	struct token_contact contacts[TOKEN_CONTACTS_MAX];
};

/* One contact: key, number of addresses, addresses. Reading checks the form, not the key. */
void wr_token_contact(struct wr *w, const struct token_contact *c);
void rd_token_contact(struct rd *r, struct token_contact *c);
/* Length without the final 0, or 0 if it does not fit. */
size_t token_write(char *out, size_t size, const struct token *t);
/* NULL when good, else what is wrong, for the user ("not a vpnd token", "damaged: checksum ..."). */
const char *token_parse(struct token *t, const char *text, const struct crypto *c);
void token_id(uint8_t id[32], const struct pubkey *token_key);

#endif
