/* keeper_env.h - what the keeper role (keeper.h) asks of its surroundings. Private to dht/. */
#ifndef DHT_KEEPER_ENV_H
#define DHT_KEEPER_ENV_H

#include "base/drop.h"
#include "base/log.h"
#include "dht/evidence.h"
#include "dht/keepers.h"

struct keeper_role;

struct keeper_answer {
	enum reg_status status;
	struct pubkey holder; /* who owns it now, or zero */
	struct ip hint;	      /* REG_OWNED of a claim: an address that seems free; len 0 = none */
	uint64_t detail;      /* of an enrolment: when the token expired, or 0 */
	const uint8_t *grant; /* of the register asked about; of an enrolment: of member:KEY */
	size_t len;
};

struct keeper_env {
	void *ctx;
	void (*random)(void *ctx, void *out, size_t len);
	/* REGISTER messages to another keeper or to a client. Best effort. */
	void (*send)(void *ctx, const struct pubkey *to, uint8_t service, const uint8_t *msg,
		     size_t len);
	void (*persist)(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			const uint8_t *value, size_t len);
	/* What is known here; NULL before the first. Read anew at every call. */
	const struct settings *(*settings)(void *ctx);
	const struct config *(*config)(void *ctx); /* the newest */
	/* Of an epoch, the present one included; NULL = not known. */
	const struct config *(*config_of)(void *ctx, uint32_t era, uint32_t epoch);
	/* A successor with its proofs: the owner checks, keeps and spreads it; `config` returns it from
	 * then on when it is the newest, and config_durable says when it is on the disk. */
	void (*chosen)(void *ctx, const uint8_t *config, size_t len);
	bool (*config_durable)(void *ctx);
	/* Who knows the sets up to (era, epoch) only: show it those after. */
	void (*lead)(void *ctx, const struct pubkey *peer, uint32_t era, uint32_t epoch);
	void (*installed)(void *ctx); /* the newest set is served here from now on */
	/* The answer to keeper_submit_local; the answer to keeper_enrol. Copies. */
	void (*result)(void *ctx, uint64_t request, const struct keeper_answer *a);
	void (*enrolled)(void *ctx, const struct pubkey *to, uint64_t request,
			 const struct keeper_answer *a);
	/* A member, token or revocation register has a new grant: push it to whom it concerns. */
	void (*changed)(void *ctx, const struct reg_name *name, const uint8_t *grant, size_t len);
	/* A grant of an epoch that is not known here: `from` may show the way there. */
	void (*ask_chain)(void *ctx, const struct pubkey *from, const uint8_t *grant, size_t len);
	/* A keeper did what honest ones never do. */
	void (*caught)(void *ctx, const struct evidence *e);
};

struct keeper_config {
	struct key_pair self;
	struct pubkey root;
	const struct crypto *crypto;
	const struct log *log;
	const struct wall *wall;
	struct drops *drops;
	size_t promises; /* 0 = PROMISES_KEPT */
};

#endif
