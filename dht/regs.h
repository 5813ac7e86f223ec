/* regs.h - the registers of one namespace as one node sees them. Public face.
 *
 * Every node is a client (it asks keepers and checks what they sign); a node that the keeper
 * configuration names is also an acceptor and a proposer (CASPaxos per register). Sans-I/O; durable
 * state is a map of keys to values written through env.persist: the answer comes back as
 * regs_persisted, and nothing that depends on it leaves before. docs/protocol.md 7-9. */
#ifndef DHT_REGS_H
#define DHT_REGS_H

#include "base/drop.h"
#include "base/log.h"
#include "dht/eras.h"
#include "dht/evidence.h"
#include "dht/keepers.h"

#define REGS_OPS_MAX 256      /* own operations in flight */
#define REGS_REGISTERS_MAX 131072
#define REGS_CLIENTS_MAX 4096 /* rate and quota books at a keeper; attached peers */
enum regs_service { REGS_SERVICE_REGISTER = 4, REGS_SERVICE_MEMBER = 7 }; /* protocol.md 4.5 */
struct regs;

enum regs_event_type {
	REGS_RESULT,   /* op; regs_answer */
	REGS_ENROLLED, /* op, status, detail, grant = membership; settings, config, secrets are set */
	REGS_UPDATED,  /* settings, secrets, config, revocations or own membership changed */
	REGS_REVOKED_SELF, /* our own membership was revoked */
	REGS_HANDOVER, /* dht/handover.h: regs_handover */
	REGS_STRAY, /* grant of ours: an answer to an operation that was given up */
	REGS_FORKED, /* two proven successors of one keeper set, of epoch `detail` */
	REGS_DISPUTED, /* grant: another owner was shown for its generation; look for both again */
};
struct regs_event {
	enum regs_event_type type;
	uint64_t op;
	enum reg_status status;
	struct pubkey holder;
	struct ip hint;
	uint64_t detail;
	const uint8_t *grant; /* verified; valid during the call */
	size_t len;
};

struct regs_env {
	void *ctx;
	void (*random)(void *ctx, void *out, size_t len);
	/* Over a session with that key, which the owner makes first when there is none; `service` is
	 * one of enum regs_service. Lost messages are this module's to repeat. */
	void (*send)(void *ctx, const struct pubkey *to, uint8_t service, const uint8_t *msg,
		     size_t len);
	/* Durable: last write of a key wins, empty value deletes. Answered by regs_persisted(op). */
	void (*persist)(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			const uint8_t *value, size_t len);
	void (*event)(void *ctx, const struct regs_event *e); /* copies, never calls back in */
};
struct regs_config {
	struct key_pair self;
	struct pubkey root;
	const struct crypto *crypto;
	const struct log *log;
	const struct wall *wall;
	struct drops *drops; /* the owner's: messages dropped */
	bool same_machine; /* same boot id and same state directory as when the state was written */
	size_t promises; /* 0; simulations: floor.h */
};
struct regs_secret {
	uint32_t number;
	uint8_t b[32];
};

struct regs *regs_new(const struct regs_config *cfg, const struct regs_env *env, usec_t now);
void regs_free(struct regs *r);
/* Every stored key and value, before the first tick; false = not ours or damaged. */
bool regs_restore(struct regs *r, const uint8_t *key, size_t key_len, const uint8_t *value,
		  size_t len);
void regs_started(struct regs *r, usec_t now); /* after the last regs_restore */
/* Creator: become the only keeper. Settings signed; secret number 1 made; members[0] = us.
 * Enrols ourselves as member with every right. Events: REGS_ENROLLED with op 0 once durable. */
int regs_create(struct regs *r, const struct key_pair *root, const struct settings *s,
		const char *host, usec_t now);
/* Joiner: what the token tells. Then regs_enrol. */
void regs_trust(struct regs *r, const struct checkpoint *cp, const struct pubkey *keepers,
		size_t count);
int regs_enrol(struct regs *r, uint64_t op, const uint8_t token_seed[SEED_LEN], const char *host,
	       usec_t now);

void regs_input(struct regs *r, const struct pubkey *from, bool attached, uint8_t service,
		const uint8_t *msg, size_t len, usec_t now);
void regs_persisted(struct regs *r, uint64_t op, int result, usec_t now);
void regs_tick(struct regs *r, usec_t now);
usec_t regs_deadline(const struct regs *r);
bool regs_offer_revocations(struct regs *r, const uint8_t *grant, size_t len, usec_t now);
/* Ask a keeper for what is newer than we have, at most once in 10 s (DESIGN 12.8). */
void regs_sync(struct regs *r, usec_t now);
void regs_peer_attached(struct regs *r, const struct pubkey *peer, usec_t now);
void regs_peer_gone(struct regs *r, const struct pubkey *peer, usec_t now);

/* One operation. It is given the next operation number, signed by us (or `admin`), sent to a
 * keeper, repeated, moved to another keeper; REGS_RESULT follows within 5 s. `req->name`, verb,
 * generation, lease, payload, heir, deadline are read. One in flight per name: a newer one
 * cancels the older. 0, -EINVAL, -EBUSY: REGS_OPS_MAX are under way, or as many on leases as the
 * keepers seem to keep up with; there is room again when one ends. */
int regs_submit(struct regs *r, uint64_t op, const struct reg_op *req, const struct key_pair *admin,
		usec_t now);
struct reg_answer regs_answer(const struct regs_event *e); /* points into it */

/* What is known here. */
const struct config *regs_keepers(const struct regs *r);	  /* NULL before the first */
const struct settings *regs_settings(const struct regs *r);
size_t regs_settings_bytes(const struct regs *r, const uint8_t **out);
size_t regs_secrets(const struct regs *r, struct regs_secret out[2]); /* newest first */
size_t regs_membership(const struct regs *r, const uint8_t **grant);  /* own; 0 = none */
uint64_t regs_revocation_number(const struct regs *r);
size_t regs_revocation_grant(const struct regs *r, const uint8_t **grant);
bool regs_is_revoked(const struct regs *r, const struct pubkey *key);
bool regs_is_keeper(const struct regs *r);
/* Verifies a grant against the keeper set, its date, the revocations, and what was seen before: a
 * lower generation, or another owner for the same one, is refused (protocol.md 8.11). */
bool regs_check(struct regs *r, struct grant *g, const uint8_t *b, size_t len, usec_t now);

#endif
