/* fuzz_p2p_input.c - a node with one session, against strangers and a peer that say anything.
 *
 * Input: records of one operation byte, two length bytes and that many bytes: the operations are
 * in the table below. The sealed ones make packets that open, so what is inside is fuzzed too.
 * What must hold: nothing is stored for strangers, every table within its bound, sizes sent are
 * sizes allowed. */
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "p2p/control.h"
#include "p2p/core.h"
#include "p2p/session.h"
#include "tests/fuzz/fuzz.h"

#define PLAIN_MAX 1600
#define RECORDS_MAX 64

struct lab {
	struct p2p *p;
	struct drops drops;
	struct key_pair self, peer;
	struct key_slot *slot;
	struct aead peers; /* what the peer seals with */
	uint64_t count;
	uint32_t sequence; /* of its segments */
	uint32_t drawn;
	usec_t now;
};

static const struct log no_log = { 0 };
static const struct p2p_secret secret = { 1, { 1 } };
static const struct addr peer_addr = { .ip = { 4, { 192, 0, 2, 2 } }, .port = 24655 };

static void on_send(void *ctx, uint8_t socket, const struct addr *to, const uint8_t *pkt, size_t len)
{
	(void)ctx;
	assert(socket == 0 && to->ip.len && pkt && len > 0 && len <= 1700);
}

static void on_random(void *ctx, void *out, size_t len)
{
	struct lab *lab = ctx;
	uint8_t seed[32] = { (uint8_t)++lab->drawn, (uint8_t)(lab->drawn >> 8) };

	randombytes_buf_deterministic(out, len, seed);
}

static void on_event(void *ctx, const struct p2p_event *e)
{
	(void)ctx;
	assert(e->len <= P2P_MESSAGE_MAX && e->ns < P2P_NAMESPACES_MAX);
}

static bool on_grant_ok(void *ctx, uint16_t ns, const struct pubkey *peer, const uint8_t *grant,
			size_t len, usec_t now)
{
	(void)ctx;
	(void)ns;
	(void)peer;
	(void)now;
	return len > 0 && grant[0] % 2;
}

static size_t on_own_grant(void *ctx, uint16_t ns, uint8_t *out, size_t size)
{
	(void)ctx;
	assert(ns == 0 && size >= 4);
	memcpy(out, "mine", 4);
	return 4;
}

static void make_key(struct key_pair *k, uint8_t n)
{
	uint8_t seed[SEED_LEN] = { n };

	while (!key_from_seed(k, seed))
		seed[1]++;
}

static void lab_open(struct lab *lab)
{
	struct p2p_config cfg = { .log = &no_log, .crypto = &crypto_real, .overlay_key_count = 1,
				  .drops = &lab->drops };
	struct p2p_env env = { lab, on_send, on_random, on_event, on_grant_ok, on_own_grant };
	struct handshake_result r = { .remote_index = 7, .suite = AEAD_CHACHA20_POLY1305,
				      .theirs = { .instance = 5, .lanes = 1 } };
	struct session *s;

	*lab = (struct lab){ .now = SEC(100) };
	make_key(&lab->self, 1);
	make_key(&lab->peer, 2);
	cfg.self = lab->self;
	lab->p = p2p_new(&cfg, &env, lab->now);
	assert(lab->p);
	p2p_namespace_set(lab->p, 0, &secret, 1, lab->now);
	s = session_want(lab->p, &lab->peer.pub, lab->now);
	lab->slot = slot_new(s, lab->now);
	slot_set_keys(lab->slot, &r);
	lab->slot->initiator = true;
	paths_prove(&s->paths, paths_add(&s->paths, &peer_addr, 0, true, lab->now), 1, lab->now);
	session_initiated(s, lab->slot, lab->now);
	session_settle(lab->p, lab->now);
	aead_init(&lab->peers, r.suite, r.receive_key, r.send_key);
}

static bool is_up(const struct lab *lab)
{
	const struct session *s = session_find(lab->p, &lab->peer.pub);

	return s && s->up;
}

/* What the peer would send: sealed, and so it opens. */
static void sealed(struct lab *lab, uint8_t type, uint32_t tag, const uint8_t *plain, size_t len)
{
	uint8_t pkt[PLAIN_MAX + PACKET_OVERHEAD];
	struct wr w = wr_of(pkt, sizeof(pkt));
	struct frame f = { .remote = peer_addr }, *fs = &f;

	if (!is_up(lab) || len > PLAIN_MAX)
		return;
	wr_u8(&w, PACKET_VERSION | type);
	wr_u24(&w, tag);
	wr_u32(&w, lab->slot->index);
	wr_u64(&w, lab->count);
	wr_copy(&w, plain, len);
	aead_seal(&lab->peers, lab->count++, pkt, PACKET_HEADER_LEN, pkt + PACKET_HEADER_LEN,
		  len);
	f.len = (uint32_t)(len + PACKET_OVERHEAD);
	f.data = f.store + FRAME_HEAD;
	memcpy(f.data, pkt, f.len);
	p2p_open(p2p_view(lab->p), p2p_lane(lab->p, 0), &fs, 1, lab->now);
	if (f.verdict == FRAME_CONTROL)
		p2p_input(lab->p, 0, &peer_addr, f.data, f.len, lab->now);
}

static void op_raw(struct lab *lab, const uint8_t *b, size_t len)
{
	struct addr from = { .ip = ip_v4(0xc0000209), .port = 9 };
	uint8_t pkt[2048];
	size_t before = lab->p->sessions.count;

	if (len > sizeof(pkt))
		return;
	memcpy(pkt, b, len);
	p2p_input(lab->p, 0, &from, pkt, len, lab->now);
	assert(lab->p->sessions.count <= before);
}

static void op_fast(struct lab *lab, const uint8_t *b, size_t len)
{
	struct frame f = { .remote = peer_addr, .len = (uint32_t)len }, *fs = &f;

	if (len > FRAME_LEN_MAX)
		return;
	f.data = f.store + FRAME_HEAD;
	memcpy(f.data, b, len);
	p2p_open(p2p_view(lab->p), p2p_lane(lab->p, 0), &fs, 1, lab->now);
	assert(f.verdict == FRAME_DROP || f.verdict == FRAME_CONTROL);
}

static void op_control(struct lab *lab, const uint8_t *b, size_t len)
{
	sealed(lab, PACKET_CONTROL, 0, b, len);
}

static void op_probe(struct lab *lab, const uint8_t *b, size_t len)
{
	sealed(lab, PACKET_PROBE, 0, b, len);
}

static void op_data(struct lab *lab, const uint8_t *b, size_t len)
{
	const struct session *s = session_find(lab->p, &lab->peer.pub);
	const struct attachment *a = s ? attach_find(s->attachments, 0) : NULL;

	sealed(lab, PACKET_IP, a ? a->tag_in : 1, b, len);
}

/* One whole message of the channel: service byte and body. */
static void op_message(struct lab *lab, const uint8_t *b, size_t len)
{
	uint8_t plain[PLAIN_MAX];
	struct wr w = wr_of(plain, sizeof(plain));

	if (!is_up(lab) || len < 2 || len > CHANNEL_SEGMENT_MAX)
		return;
	wr_u8(&w, CONTROL_SEGMENT);
	wr_u8(&w, 3);
	wr_u8(&w, b[0]);
	wr_u32(&w, lab->sequence++);
	wr_copy(&w, b + 1, len - 1);
	sealed(lab, PACKET_CONTROL, 0, plain, wr_len(&w));
}

/* A proposal that knows the secret; the bytes are the id. */
static void op_propose(struct lab *lab, const uint8_t *b, size_t len)
{
	static const uint8_t role_and_number[] = { 2, 0, 0, 0, 1 };
	uint8_t msg[64] = { SERVICE_ATTACH, 1 }, h32[32] = { 0 };
	struct hash h;

	if (len < 4)
		return;
	memcpy(msg + 2, b, 4);
	msg[6] = 1;
	hash_begin(&h, "vpnd attach", 32);
	hash_add(&h, h32, sizeof(h32)); /* the transcript of lab_open */
	hash_add(&h, role_and_number, sizeof(role_and_number));
	hash_add(&h, secret.b, sizeof(secret.b));
	hash_end(&h, msg + 7);
	msg[41] = 9;
	op_message(lab, msg, 42);
}

static void op_time(struct lab *lab, const uint8_t *b, size_t len)
{
	lab->now += MSEC(1) << (len ? b[0] % 18 : 0);
	p2p_tick(lab->p, lab->now);
}

static void (*const ops[])(struct lab *lab, const uint8_t *b, size_t len) = {
	op_raw, op_fast, op_control, op_probe, op_data, op_message, op_propose, op_time,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rd r = rd_of(data, len);
	struct lab lab;

	if (sodium_init() < 0)
		return 0;
	lab_open(&lab);
	for (int i = 0; i < RECORDS_MAX && rd_left(&r) >= 3; i++) {
		uint8_t op = rd_u8(&r);
		struct rd b = rd_block(&r, 2048);

		if (!rd_ok(&b))
			break;
		ops[op % ARRAY_LEN(ops)](&lab, b.p, rd_left(&b));
		assert(lab.p->sessions.count <= P2P_SESSIONS_MAX && lab.p->later_count <= LATER_MAX);
		assert(lab.p->view.slots.count <= 4 * lab.p->sessions.count);
	}
	aead_fini(&lab.peers);
	p2p_free(lab.p, lab.now);
	return 0;
}
