/* handshake_kit.h - two nodes and a stranger, all made from fixed seeds, and their first packets.
 *
 * Everything is a function of constants, so a packet made here is the same in every run: the fuzz
 * target builds the node that its corpus was written for. */
#ifndef TESTS_UNIT_HANDSHAKE_KIT_H
#define TESTS_UNIT_HANDSHAKE_KIT_H

#include <stdlib.h>
#include <string.h>

#include "p2p/cookie.h"
#include "p2p/handshake.h"
#include "p2p/whois.h"

#define KIT_NOW SEC(1000)

struct kit {
	struct handshake_self alice, bob, carol; /* initiator, responder, somebody else */
	uint8_t keys[2][32];			 /* bob's overlay keys; alice uses the second */
	struct addr from;			 /* where alice's packets come from */
	uint8_t init[PACKET_HANDSHAKE_MAX], response[PACKET_HANDSHAKE_MAX];
	size_t init_len, response_len;
	struct handshake hs;		    /* alice's */
	struct handshake_incoming incoming; /* bob's */
	struct handshake_result result;	    /* alice's */
	struct handshake_init_args init_args;
	struct handshake_respond_args respond_args;
};

static inline struct key_pair kit_pair(uint8_t number)
{
	uint8_t seed[SEED_LEN] = { number };
	struct key_pair pair;

	while (!key_from_seed(&pair, seed)) /* about every second seed fits */
		seed[1]++;
	return pair;
}

static inline void kit_node(struct handshake_self *s, uint8_t number)
{
	struct key_pair pair = kit_pair(number);

	if (!handshake_self_init(s, &pair, &crypto_real))
		abort();
}

static inline void kit_init(struct kit *k)
{
	memset(k, 0, sizeof(*k));
	kit_node(&k->alice, 1);
	kit_node(&k->bob, 2);
	kit_node(&k->carol, 3);
	memset(k->keys[0], 0xa0, 32);
	memset(k->keys[1], 0xa1, 32);
	addr_parse(&k->from, "192.0.2.7:24655");
	k->init_args = (struct handshake_init_args){
		.self = &k->alice,
		.psk = k->keys[1],
		.remote = &k->bob.pub,
		.index = 0x11223344,
		.start_counter = 7,
		.boottime = 123456789,
		.own = { .features = HANDSHAKE_FEATURE_AES, .instance = 0xaaaa, .lanes = 2 },
		.ephemeral = { 0xe1, 1 },
	};
	k->respond_args = (struct handshake_respond_args){
		.self = &k->bob,
		.psk = k->keys[1],
		.index = 0x55667788,
		.own = { .features = HANDSHAKE_FEATURE_AES | 0x80000000u,
			 .instance = 0xbbbb,
			 .lanes = 4,
			 .observed = k->from },
		.ephemeral = { 0xe2, 2 },
	};
}

static inline void kit_make_init(struct kit *k)
{
	k->init_len = handshake_init_create(&k->hs, k->init, &k->init_args);
}

/* What bob does with any packet that claims to be an INIT. */
static inline bool kit_accept_init(struct kit *k, const uint8_t *pkt, size_t len)
{
	return handshake_mac1_match(pkt, len, &k->bob.pub, (const uint8_t (*)[32])k->keys,
				    2) == 1 &&
	       handshake_init_consume(&k->incoming, &k->bob, pkt, len);
}

static inline bool kit_make_response(struct kit *k)
{
	kit_make_init(k);
	if (!kit_accept_init(k, k->init, k->init_len))
		return false;
	k->response_len = handshake_respond(&k->incoming, k->response, &k->respond_args);
	return k->response_len != 0;
}

/* With a copy of alice's half, so that she may be asked again. */
static inline bool kit_accept_response(struct kit *k, const uint8_t *pkt, size_t len)
{
	struct handshake hs = k->hs;

	return handshake_response_consume(&hs, &k->alice, pkt, len, &k->result);
}

#endif
