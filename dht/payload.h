/* payload.h - what stands inside a register's value, kind by kind. docs/protocol.md 8.3.
 *
 * Pure data in canonical form; decoders refuse every other. */
#ifndef DHT_PAYLOAD_H
#define DHT_PAYLOAD_H

#include "dht/register.h"

#define RIGHTS_ALL 0xffu

struct reg_groups {
	uint8_t count;
	char name[REG_GROUPS_MAX][REG_GROUP_LEN + 1];
};

struct owned_payload { /* of an address or a host name */
	bool has_mac;
	uint8_t mac[6];
	char host[55]; /* empty = none */
	struct ip v4, v6; /* len 0 = none */
};

struct token_payload {
	uint16_t uses;
	uint64_t expires; /* wall seconds */
	bool revoked, ephemeral; /* ephemeral: its members last a day, not a month */
	uint32_t rights;
	uint8_t keepers; /* its first so many users get the keeper right, too */
	struct reg_groups groups;
	uint8_t used;
	uint8_t used_by[REG_USES_MAX][16]; /* H16("vpnd token use", node key) */
};

struct member_payload {
	char host[64];
	uint32_t rights;
	struct reg_groups groups;
	uint8_t token[32];
	uint64_t serial, not_after;
	bool revoked, ephemeral;
};

struct revocation_payload {
	uint64_t number;
	uint16_t count;
	struct node_id who[REG_REVOKED_MAX]; /* rising; H20("vpnd revoked", node key) */
};

struct start_payload {
	uint32_t counter;
	uint8_t nonce[16];
};

void wr_owned_payload(struct wr *w, const struct owned_payload *p);
bool owned_payload_read(struct owned_payload *p, const uint8_t *b, size_t len);
void wr_token_payload(struct wr *w, const struct token_payload *p);
bool token_payload_read(struct token_payload *p, const uint8_t *b, size_t len);
void wr_member_payload(struct wr *w, const struct member_payload *p);
bool member_payload_read(struct member_payload *p, const uint8_t *b, size_t len);
void wr_revocation_payload(struct wr *w, const struct revocation_payload *p);
bool revocation_payload_read(struct revocation_payload *p, const uint8_t *b, size_t len);
void wr_start_payload(struct wr *w, const struct start_payload *p);
bool start_payload_read(struct start_payload *p, const uint8_t *b, size_t len);
void token_use_hash(uint8_t out[16], const struct pubkey *node);
/* What the token gives to a node that has used it. */
uint32_t token_rights(const struct token_payload *p, const struct pubkey *node);
bool reg_groups_has(const struct reg_groups *g, const char *name);
struct node_id revoked_hash(const struct pubkey *key);
bool revocation_has(const struct revocation_payload *p, const struct pubkey *key);
/* In its place; 0, -EEXIST or -ENOSPC. */
int revocation_add(struct revocation_payload *p, const struct node_id *who);
/* Rights by name, for the command line: "keeper", "relay", ...; 0 = unknown name. */
uint32_t right_parse(const char *text);
const char *right_text(uint32_t one_bit);

#endif
