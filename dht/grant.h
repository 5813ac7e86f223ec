/* grant.h - what the root and the keepers sign: settings and grants (configurations: config.h).
 * Public.
 *
 * docs/protocol.md 7.1, 8.6. Structs hold copies; encoders are canonical; verification is a
 * pure function of bytes, keys and wall time. */
#ifndef DHT_GRANT_H
#define DHT_GRANT_H

#include "dht/config.h"
#include "dht/payload.h"
#include "dht/register.h"

#define ADMINS_MAX 8
#define GRANT_MAX 5200
#define SETTINGS_MAX 700

struct settings {
	struct pubkey root;
	uint64_t number;
	uint64_t era_began; /* wall seconds of the last era reset, 0 = none */
	char name[33], domain[65]; /* domain empty = "internal" */
	struct prefix subnet;
	uint32_t lease; /* seconds */
	uint16_t mtu;
	bool open; /* overlay key is published */
	bool hardened; /* keepers have quorums that liars do no harm to */
	uint8_t keepers; /* at most 1, 3, 5 or 7, chosen by themselves; 0 = by people */
	uint8_t admin_count;
	struct pubkey admins[ADMINS_MAX]; /* last: what is kept ends with admin_count of them */
};
size_t settings_write(uint8_t *out, size_t size, const struct settings *s, const struct crypto *c,
		      const struct key_pair *root);
/* Checks form and the root's signature against s->root == *root. */
bool settings_read(struct settings *s, const uint8_t *b, size_t len, const struct pubkey *root,
		   const struct crypto *c);
/* Bytes in use; beyond them a kept one has nothing, so it is copied by settings_copy. */
size_t settings_size(const struct settings *s);
void settings_copy(struct settings *to, const struct settings *from);
bool settings_is_admin(const struct settings *s, const struct pubkey *key); /* root or admin */

struct grant {
	uint8_t nsid[NSID_LEN];
	struct reg_name name;
	uint8_t state;
	uint64_t generation;
	struct pubkey owner;
	uint64_t number;
	uint32_t lease;
	const uint8_t *payload; /* into the bytes read */
	size_t payload_len;
	struct ballot ballot;
	uint64_t beacon;
};
/* Of a value; ballot and beacon are the caller's to set. */
struct grant grant_of(const uint8_t nsid[NSID_LEN], const struct reg_name *name,
		      const struct reg_value *v);
/* What keepers sign: everything before the signatures. */
void wr_grant_body(struct wr *w, const struct grant *g);
/* Form only. */
bool grant_read(struct grant *g, const uint8_t *b, size_t len);
/* A bit for each member index that has signed; 0 = no grant. */
uint8_t grant_signers(const uint8_t *b, size_t len);
/* Form, namespace, epoch, and signatures of a quorum of `cf` by distinct members. Not expiry. */
bool grant_verify(struct grant *g, const uint8_t *b, size_t len, const struct config *cf,
		  const struct crypto *c);
/* Assembles body and signatures; `signers` has a bit for each sigs[i] that counts. Bytes or 0. */
size_t grant_write(uint8_t *out, size_t size, const struct grant *g, uint8_t signers,
		   const uint8_t sigs[][SIG_LEN]);
/* What a record of the owner's says of a grant (protocol.md 6.1): all but what the reader knows from
 * the record. Bytes or 0, when there is no room, or what is written is no grant. */
struct grant_known {
	uint8_t nsid[NSID_LEN];
	struct reg_name name;
	struct pubkey owner;
};
size_t grant_shorten(uint8_t *out, size_t size, const uint8_t *grant, size_t len);
size_t grant_restore(uint8_t *out, size_t size, const struct grant_known *known,
		     const uint8_t *b, size_t len);
#define GRANT_LABEL "vpnd grant"
/* Wall second from which it proves nothing. Addresses and names: beacon + lease while held, 0 when
 * released. A member: its not_after. Others do not end; the highest number counts. */
uint64_t grant_end(const struct grant *g);

#endif
