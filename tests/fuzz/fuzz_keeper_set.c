/* fuzz_keeper_set.c - three keepers of one set; whoever is not the first of them says anything to it.
 *
 * Input: one byte, whose bit 0 lets every signature pass; then steps: a byte, low 3 bits what, next 2
 * bits who says it (a member of the set, another, a stranger, the victim's own key), and
 *	SAY	length 2 and a REGISTER message; the namespace is put in
 *	TWIST	index 1, offset 2, byte 1: a message on its way to the victim comes, so changed, from who
 *	PASS	n 1: 2^(n % 12) milliseconds pass
 *	CLAIM	n 1: the root makes a member, at the victim
 *	CHANGE	n 1: the victim is asked to change the set to those of four nodes
 *	CRASH	the victim's process; its records are restored
 *	DISK	the victim's disk fails from now on, or works again
 * What must hold: tables stay bounded, time goes on, what was written can be restored, and who is no
 * member gets no value into a register, but by operations, which are signed. */
#include <assert.h>
#include <malloc.h>

#include "dht/keeper_impl.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/keeper_ops.h"

#define STEPS_MAX 64
#define STRANGER 3

enum step { SAY, TWIST, PASS, CLAIM, CHANGE, CRASH, DISK };

/* Whoever knows a public key can sign with it: quick. */
static void quick_sign(uint8_t sig[SIG_LEN], const struct key_pair *k, const char *label,
		       const void *msg, size_t len)
{
	struct hash h;

	hash_begin(&h, label, SIG_LEN);
	hash_add(&h, k->pub.b, KEY_LEN);
	hash_add(&h, msg, len);
	hash_end(&h, sig);
}

static bool quick_verify(const uint8_t sig[SIG_LEN], const struct pubkey *k, const char *label,
			 const void *msg, size_t len)
{
	struct key_pair pair = { .pub = *k };
	uint8_t right[SIG_LEN];

	quick_sign(right, &pair, label, msg, len);
	return memcmp(sig, right, SIG_LEN) == 0;
}

static bool quick_valid(const struct pubkey *k) { return !key_is_zero(k); }

static void ignore_changed(void *ctx, const struct reg_name *name, const uint8_t *grant, size_t len)
{
	(void)ctx;
	(void)name;
	(void)grant;
	(void)len;
}

/* Whoever a keeper is told of may be said something to; to itself it gets by no session. */
static void send(void *ctx, const struct pubkey *to, uint8_t service, const uint8_t *msg, size_t len)
{
	struct kit_keeper *kk = ctx;

	assert(msg && len > 0);
	if (kit_is_keeper(kk->kit, to) && !key_equal(to, &kk->key.pub))
		kit_send(ctx, to, service, msg, len);
}

static void adapt(struct kit_keeper *kk, const struct crypto *c)
{
	kk->k->env.send = send;
	kk->k->env.changed = ignore_changed;
	kk->k->cfg.crypto = kk->k->acceptor.crypto = kk->k->proposer.crypto = c;
}

/* Three keepers and a fourth node, whose role nobody named. */
static struct kit *world_new(const struct crypto *c)
{
	struct kit *t = kit_new(3);

	t->keepers[STRANGER].kit = t;
	t->keepers[STRANGER].key = kit_key(2000 + STRANGER);
	kit_keeper_new(&t->keepers[STRANGER]);
	keeper_started(t->keepers[STRANGER].k, t->now);
	t->count++;
	for (size_t i = 0; i < t->count; i++)
		adapt(&t->keepers[i], c);
	return t;
}

static void hear(struct kit *t, const struct pubkey *from, const uint8_t *msg, size_t len)
{
	struct kit_keeper *victim = &t->keepers[0];

	keeper_input(victim->k, from, msg, len, t->now);
	while (victim->write_count > KIT_WRITES / 4)
		kit_write_one(victim);
}

/* True: an operation. */
static bool say(struct kit *t, const struct pubkey *from, struct rd *in)
{
	size_t n = rd_u16(in);
	bool operation;
	uint8_t *msg;

	n = n < rd_left(in) ? n : rd_left(in);
	msg = mem_new(n + 1);
	rd_copy(in, msg, n);
	if (n > NSID_LEN)
		nsid_of(msg + 1, &t->root.pub);
	operation = msg[0] == REGMSG_OPERATION;
	hear(t, from, msg, n);
	free(msg);
	return operation;
}

static void twist(struct kit *t, const struct pubkey *from, struct rd *in)
{
	size_t want = rd_u8(in), at = rd_u16(in), i = 0;
	uint8_t byte = rd_u8(in);
	struct kit_message m;

	while (i < t->message_count &&
	       (!key_equal(&t->messages[i].to, &t->keepers[0].key.pub) || want-- > 0))
		i++;
	if (!rd_ok(in) || i == t->message_count)
		return;
	m = t->messages[i];
	memmove(&t->messages[i], &t->messages[i + 1], (--t->message_count - i) * sizeof(m));
	if (m.len)
		m.bytes[at % m.len] = byte;
	hear(t, from, m.bytes, m.len);
	free(m.bytes);
}

static void claim(struct kit *t, uint8_t n, const struct crypto *c)
{
	struct key_pair member = kit_key(n);
	struct member_payload p = { .rights = n & RIGHTS_ALL };
	uint8_t payload[300], op[REG_OP_MAX];
	struct wr w = wr_of(payload, sizeof(payload));
	struct reg_op req = { .verb = OP_MEMBER_SET, .name = kit_member_name(&member),
			      .number = ++t->number };

	nsid_of(req.nsid, &t->root.pub);
	wr_member_payload(&w, &p);
	req.payload = payload;
	req.payload_len = wr_len(&w);
	keeper_submit_local(t->keepers[0].k, ++t->request, op,
			    reg_op_write(op, sizeof(op), &req, c, &t->root, NULL), t->now);
}

static void change(struct kit *t, uint8_t nodes)
{
	struct keeper_set want = { 0 };

	for (size_t i = 0; i < t->count; i++)
		if (nodes >> i & 1)
			want.node[want.count++] = t->keepers[i].key.pub;
	want.quorum = nodes >> 4 & 7;
	keeper_change(t->keepers[0].k, &want, t->now);
}

static void check(const struct keeper_role *k)
{
	assert(k->acceptor.writes.count <= ACCEPTOR_WRITES_MAX);
	assert(k->acceptor.late_len <= 1024 * 1024);
	assert(k->tasks.count <= TASKS_MAX && k->peer_count <= PEERS_MAX);
	assert(k->judge.count <= JUDGE_WANTS_MAX && k->planned_count <= KEEPERS_MAX);
	assert(!k->marks || k->marks->count <= KEEPERS_MAX);
	assert(list_is_empty(&k->inbox));
}

/* Whether what was done may change what the victim keeps. */
static bool take_step(struct kit *t, struct rd *in, const struct crypto *c)
{
	struct kit_keeper *victim = &t->keepers[0];
	uint8_t op = rd_u8(in);
	size_t who = (op >> 3 & 3) + 1;
	const struct pubkey *from = &t->keepers[who & 3].key.pub;

	switch ((enum step)(op & 7)) {
	case SAY: return say(t, from, in) || who != STRANGER;
	case TWIST: twist(t, from, in); break;
	case PASS: kit_run(t, MSEC(UINT64_C(1) << rd_u8(in) % 12)); return false;
	case CLAIM: claim(t, rd_u8(in), c); return true;
	case CHANGE: change(t, rd_u8(in)); return true;
	case CRASH:
		kit_crash(victim);
		adapt(victim, c);
		return false;
	case DISK: victim->disk_fails = !victim->disk_fails; return true;
	default: return false;
	}
	return who != STRANGER;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct crypto quick, gullible;
	struct rd in = rd_of(data, len);
	bool believes = rd_u8(&in) & 1, may_change = believes;
	const struct crypto *c = believes ? &gullible : &quick;
	struct kit *t;
	struct reg_name name;
	struct reg_value v;
	size_t at = 0;

	mallopt(M_MMAP_THRESHOLD, 1 << 20); /* a kit is large, and zero when it is new */
	quick = crypto_real;
	quick.sign = quick_sign;
	quick.verify = quick_verify;
	quick.key_valid = quick_valid;
	gullible = quick;
	gullible.verify = fuzz_believe;
	t = world_new(c);
	kit_run(t, SEC(3));
	assert(keeper_is_active(t->keepers[0].k));
	for (size_t i = 0; i < STEPS_MAX && rd_left(&in); i++) {
		may_change |= take_step(t, &in, c);
		check(t->keepers[0].k);
	}
	kit_run(t, SEC(6));
	check(t->keepers[0].k);
	if (!may_change) {
		assert(keeper_is_active(t->keepers[0].k));
		assert(!keeper_next(t->keepers[0].k, &at, &name, &v));
	}
	t->keepers[0].disk_fails = false;
	kit_crash(&t->keepers[0]);
	kit_free(t);
	assert(check_failures == 0);
	return 0;
}
