#include "p2p/noise.h"

#include "tests/unit/vectors.h"

#define MESSAGES 6

/* Noise_IKpsk2_25519_ChaChaPoly_SHA256 of the cacophony set (values only). Payload and
 * ciphertext of each message, initiator first. */
struct vector {
	const char *prologue, *psk, *init_static, *init_ephemeral, *init_remote_static;
	const char *resp_static, *resp_ephemeral, *hash;
	const char *payload[MESSAGES], *ciphertext[MESSAGES];
};

static const struct vector own = {
	.prologue = "4a6f686e2047616c74",
	.psk = "54686973206973206d7920417573747269616e20706572737065637469766521",
	.init_static = "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
	.init_ephemeral = "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
	.init_remote_static = "31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62",
	.resp_static = "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
	.resp_ephemeral = "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
	.hash = "8310f86394dc0dabb40beb8210031556db4403ab1202db7034c526232147a700",
	.payload = {
		"4c756477696720766f6e204d69736573",
		"4d757272617920526f746862617264",
		"462e20412e20486179656b",
		"4361726c204d656e676572",
		"4a65616e2d426170746973746520536179",
		"457567656e2042f6686d20766f6e2042617765726b",
	},
	.ciphertext = {
		"ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944"
		"2ec9b09893d0f510791784c10cbc959f25b1766e0def6e301d14fbca1c7790ac"
		"829b8b3674f5f649a5f0e98479662cbfbf2b2c47cd4b09fcd266cd29d7cb675f"
		"1808849707847840f6d178ec4d3733aa",
		"95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843"
		"9a1b3cebf680b2c74217fcb5eba4ff58a9468cd90c4aca6194f57479b379a7",
		"a8fde7a0accec190cd306c5950d4fd8e04a205ec288aa747d8b347",
		"59caddd9984a3bbe24c4fb31a2bd455b7eba3fa0980674b1a3a5f9",
		"3b9bfebd210c22ba0cff9de79b4007d7a552fffbf92616881faa8a883e25b80258",
		"f37512df1043d564d7c46ac85c53d3b6a9a05724bc297e7142808f217561651217fe85b782",
	},
};

struct side {
	struct bytes s, e, psk;
	uint8_t s_public[32], e_public[32];
	struct noise n;
};

static void side_init(struct side *x, const char *s, const char *e, const char *psk)
{
	x->s = bytes_of(s);
	x->e = bytes_of(e);
	x->psk = bytes_of(psk);
	crypto_real.dh_base(x->s_public, x->s.b);
	crypto_real.dh_base(x->e_public, x->e.b);
}

static struct noise_self self_of(const struct side *x)
{
	return (struct noise_self){ &crypto_real, x->s.b, x->s_public, x->e.b, x->e_public, x->psk.b };
}

static struct noise_text text_of(const struct bytes *b)
{
	return (struct noise_text){ b->b, b->len };
}

static void sides_begin(struct side *i, struct side *r, const struct vector *v)
{
	struct bytes prologue = bytes_of(v->prologue), rs = bytes_of(v->init_remote_static);

	side_init(i, v->init_static, v->init_ephemeral, v->psk);
	side_init(r, v->resp_static, v->resp_ephemeral, v->psk);
	CHECK_MEM(r->s_public, rs.b, 32);
	noise_begin(&i->n, prologue.b, prologue.len, rs.b);
	noise_begin(&r->n, prologue.b, prologue.len, r->s_public);
}

static void run_init(struct side *i, struct side *r, const struct vector *v,
		     struct noise_peer *peer)
{
	struct bytes payload = bytes_of(v->payload[0]), want = bytes_of(v->ciphertext[0]), got;
	struct noise_self is = self_of(i), rs = self_of(r);

	CHECK_EQ_INT(want.len, payload.len + NOISE_INIT_OVERHEAD);
	CHECK(noise_init_write(&i->n, &is, r->s_public, text_of(&payload), got.b));
	CHECK_MEM(got.b, want.b, want.len);
	CHECK(noise_init_read(&r->n, &rs, text_of(&want), peer, got.b));
	CHECK_MEM(got.b, payload.b, payload.len);
	CHECK_MEM(peer->s, i->s_public, 32);
	CHECK_MEM(peer->e, i->e_public, 32);
}

static void run_response(struct side *i, struct side *r, const struct vector *v,
			 const struct noise_peer *peer)
{
	struct bytes payload = bytes_of(v->payload[1]), want = bytes_of(v->ciphertext[1]), got;
	struct noise_self is = self_of(i), rs = self_of(r);

	CHECK_EQ_INT(want.len, payload.len + NOISE_RESPONSE_OVERHEAD);
	CHECK(noise_response_write(&r->n, &rs, peer, text_of(&payload), got.b));
	CHECK_MEM(got.b, want.b, want.len);
	CHECK(noise_response_read(&i->n, &is, text_of(&want), got.b));
	CHECK_MEM(got.b, payload.b, payload.len);
}

static void run_transport(const uint8_t keys[2][32], const struct vector *v)
{
	for (size_t m = 2; m < MESSAGES; m++) {
		struct bytes payload = bytes_of(v->payload[m]), want = bytes_of(v->ciphertext[m]);
		struct noise_cipher c = { .key = keys[m % 2], .n = (m - 2) / 2 };
		struct bytes got;

		CHECK_EQ_INT(want.len, payload.len + NOISE_TAG_LEN);
		noise_seal(&c, text_of(&payload), got.b);
		CHECK_MEM(got.b, want.b, want.len);
		CHECK(noise_open(&c, text_of(&want), got.b));
		CHECK_MEM(got.b, payload.b, payload.len);
		want.b[m] ^= 1;
		CHECK(!noise_open(&c, text_of(&want), got.b));
	}
}

static void run_vector(const struct vector *v)
{
	struct bytes hash = bytes_of(v->hash);
	struct noise_peer peer;
	uint8_t ki[2][32], kr[2][32];
	struct side i, r;

	sides_begin(&i, &r, v);
	run_init(&i, &r, v, &peer);
	run_response(&i, &r, v, &peer);
	CHECK_EQ_INT(hash.len, 32);
	CHECK_MEM(i.n.h, hash.b, 32);
	CHECK_MEM(r.n.h, hash.b, 32);
	noise_split(&i.n, &crypto_real, ki[0], ki[1]);
	noise_split(&r.n, &crypto_real, kr[0], kr[1]);
	CHECK_MEM(ki, kr, sizeof(ki));
	run_transport((const uint8_t (*)[32])ki, v);
}

static void test_noise_answers_the_published_vector(void)
{
	run_vector(&own);
}

/* "name = value" and "message N payload|ciphertext = value" */
static const char **place_of(struct vector *v, const char *name)
{
	struct {
		const char *name;
		const char **at;
	} table[] = {
		{ "init_prologue", &v->prologue },
		{ "init_psks", &v->psk },
		{ "init_static", &v->init_static },
		{ "init_ephemeral", &v->init_ephemeral },
		{ "init_remote_static", &v->init_remote_static },
		{ "resp_static", &v->resp_static },
		{ "resp_ephemeral", &v->resp_ephemeral },
		{ "handshake_hash", &v->hash },
	};
	unsigned n;
	char what[16];

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (strcmp(name, table[i].name) == 0)
			return table[i].at;
	if (sscanf(name, "message %u %15s", &n, what) != 2 || n < 1 || n > MESSAGES)
		return NULL;
	return strcmp(what, "payload") == 0 ? &v->payload[n - 1] : &v->ciphertext[n - 1];
}

static void test_noise_answers_the_vector_file(void)
{
	FILE *f = vectors_open("noise-ikpsk2-25519-chachapoly-sha256.txt");
	struct vector v = { 0 };
	static char lines[64][1024];
	unsigned fields = 0;

	if (!f)
		return;
	for (size_t i = 0; i < ARRAY_LEN(lines) && fgets(lines[i], sizeof(lines[i]), f); i++) {
		char *value = strstr(lines[i], " = ");
		const char **at;

		if (lines[i][0] == '#' || !value)
			continue;
		*value = 0;
		value += 3;
		value[strcspn(value, "\n")] = 0;
		at = place_of(&v, lines[i]);
		fields += at && !*at;
		if (at)
			*at = value;
	}
	fclose(f);
	CHECK_EQ_INT(fields, 8 + 2 * MESSAGES);
	if (fields == 8 + 2 * MESSAGES)
		run_vector(&v);
}

static void test_noise_changed_or_shortened_first_message_is_refused(void)
{
	struct bytes msg = bytes_of(own.ciphertext[0]), out;
	struct noise_peer peer;
	struct side i, r;
	struct noise_self rs;
	struct noise n;

	sides_begin(&i, &r, &own);
	rs = self_of(&r);
	for (size_t at = 0; at < msg.len; at++) {
		n = r.n;
		msg.b[at] ^= 0x10;
		CHECK(!noise_init_read(&n, &rs, text_of(&msg), &peer, out.b));
		msg.b[at] ^= 0x10;
		n = r.n;
		CHECK(!noise_init_read(&n, &rs, (struct noise_text){ msg.b, at }, &peer, out.b));
	}
	n = r.n;
	CHECK(noise_init_read(&n, &rs, text_of(&msg), &peer, out.b));
}

static void test_noise_second_message_under_another_psk_or_prologue_is_refused(void)
{
	struct bytes msg = bytes_of(own.ciphertext[1]), payload = bytes_of(own.payload[0]), out;
	struct side i, r;
	struct noise_self is;
	struct noise n;

	sides_begin(&i, &r, &own);
	is = self_of(&i);
	CHECK(noise_init_write(&i.n, &is, r.s_public, text_of(&payload), out.b));
	n = i.n;
	CHECK(noise_response_read(&n, &is, text_of(&msg), out.b));
	n = i.n;
	i.psk.b[0] ^= 1;
	CHECK(!noise_response_read(&n, &is, text_of(&msg), out.b));
	i.psk.b[0] ^= 1;
	noise_begin(&i.n, "John Gal", 8, r.s_public);
	CHECK(noise_init_write(&i.n, &is, r.s_public, text_of(&payload), out.b));
	n = i.n;
	CHECK(!noise_response_read(&n, &is, text_of(&msg), out.b));
}

static void test_noise_low_order_points_are_refused_on_both_sides(void)
{
	struct bytes payload = bytes_of(own.payload[0]), msg, out;
	static const uint8_t low[32] = { 1 };
	struct noise_peer peer = { { 0 }, { 0 } };
	struct side i, r;
	struct noise_self is, rs;
	struct noise n;

	sides_begin(&i, &r, &own);
	is = self_of(&i);
	rs = self_of(&r);
	n = i.n;
	CHECK(!noise_init_write(&n, &is, low, text_of(&payload), out.b));
	msg = bytes_of(own.ciphertext[0]);
	memcpy(msg.b, low, 32);
	n = r.n;
	CHECK(!noise_init_read(&n, &rs, text_of(&msg), &peer, out.b));
	memcpy(peer.e, low, 32);
	memcpy(peer.s, i.s_public, 32);
	n = r.n;
	CHECK(!noise_response_write(&n, &rs, &peer, text_of(&payload), out.b));
	msg = bytes_of(own.ciphertext[1]);
	memcpy(msg.b, low, 32);
	n = i.n;
	CHECK(!noise_response_read(&n, &is, text_of(&msg), out.b));
}

static const struct test tests[] = {
	TEST(test_noise_answers_the_published_vector),
	TEST(test_noise_answers_the_vector_file),
	TEST(test_noise_changed_or_shortened_first_message_is_refused),
	TEST(test_noise_second_message_under_another_psk_or_prologue_is_refused),
	TEST(test_noise_low_order_points_are_refused_on_both_sides),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
