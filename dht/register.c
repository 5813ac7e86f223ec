/* register.c - names, values and ballots of registers; see register.h. docs/protocol.md 8.1, 8.3,
 * 8.4.
 *
 * What a name of each kind looks like stands in one table. Decoders refuse everything that the
 * encoder would not have written: a value has one encoding, so equal values have equal bytes. */
#include "dht/register.h"

#include <assert.h>

#include "base/list.h"

static const struct {
	uint8_t len_min, len_max;
	size_t payload_max;
} kinds[] = {
	[REG_ADDRESS] = { 4, 4, REG_PAYLOAD_OWNED_MAX },
	[REG_HOST_NAME] = { 1, 63, REG_PAYLOAD_OWNED_MAX },
	[REG_TOKEN] = { 32, 32, REG_PAYLOAD_MAX },
	[REG_MEMBER] = { 32, 32, REG_PAYLOAD_MAX },
	[REG_START] = { 32, 32, REG_PAYLOAD_OWNED_MAX },
	[REG_REVOCATION] = { 0, 0, REG_PAYLOAD_MAX },
	[REG_SUCCESSOR] = { 8, 8, REG_PAYLOAD_MAX },
};

static const char *const status_texts[] = {
	[REG_OK] = "ok",
	[REG_OWNED] = "owned by another",
	[REG_REFUSED] = "refused: no right to it",
	[REG_QUOTA] = "over the quota",
	[REG_OLD] = "older than a later operation",
	[REG_EXPIRED] = "expired",
	[REG_REVOKED] = "revoked",
	[REG_USED_UP] = "used up",
	[REG_UNKNOWN] = "unknown",
	[REG_NO_QUORUM] = "cannot reach a majority of keepers",
	[REG_BUSY] = "busy, try again",
	[REG_MALFORMED] = "malformed",
	[REG_OTHER_EPOCH] = "another keeper set",
	[REG_FULL] = "full",
	[REG_SUPERSEDED] = "superseded by a newer start",
};
_Static_assert(ARRAY_LEN(status_texts) == REG_STATUS_COUNT, "every status has a text");

void nsid_of(uint8_t nsid[NSID_LEN], const struct pubkey *root)
{
	hash_of(nsid, NSID_LEN, "vpnd namespace", root->b, KEY_LEN);
}

const char *reg_status_text(enum reg_status s)
{
	return (size_t)s < REG_STATUS_COUNT ? status_texts[s] : "unknown status";
}

size_t reg_payload_max(enum reg_kind kind)
{
	return (size_t)kind < ARRAY_LEN(kinds) ? kinds[kind].payload_max : 0;
}

struct reg_name reg_name_key(enum reg_kind kind, const void *b, size_t len)
{
	struct reg_name n = { .kind = (uint8_t)kind, .len = (uint8_t)len };

	assert((size_t)kind < ARRAY_LEN(kinds));
	assert(len >= kinds[kind].len_min && len <= kinds[kind].len_max);
	if (len)
		memcpy(n.b, b, len);
	return n;
}

struct reg_name reg_name_address(const struct ip *ip)
{
	return reg_name_key(REG_ADDRESS, ip->b, ip->len);
}

bool reg_host_valid(const char *host, size_t len)
{
	if (len == 0 || len > 63 || host[0] == '-' || host[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!(host[i] >= 'a' && host[i] <= 'z') && !(host[i] >= '0' && host[i] <= '9') &&
		    host[i] != '-')
			return false;
	return true;
}

bool reg_name_host(struct reg_name *out, const char *host)
{
	size_t len = strlen(host);

	if (!reg_host_valid(host, len))
		return false;
	*out = reg_name_key(REG_HOST_NAME, host, len);
	return true;
}

bool reg_name_is_reserved(const struct reg_name *name)
{
	static const char *const reserved[] = { "dns",	   "localhost",	    "wpad",	    "isatap",
						"gateway", "broadcasthost", "ip6-localhost" };

	for (size_t i = 0; name->kind == REG_HOST_NAME && i < ARRAY_LEN(reserved); i++)
		if (strlen(reserved[i]) == name->len &&
		    memcmp(reserved[i], name->b, name->len) == 0)
			return true;
	return false;
}

bool reg_name_equal(const struct reg_name *a, const struct reg_name *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

void wr_reg_name(struct wr *w, const struct reg_name *n)
{
	wr_u8(w, n->kind);
	wr_block(w, n->b, n->len);
}

struct reg_name rd_reg_name(struct rd *r)
{
	struct reg_name n = { .kind = rd_u8(r) };
	struct rd in = rd_block(r, REG_NAME_MAX);
	size_t len = rd_left(&in);

	if (!rd_ok(r) || n.kind == 0 || n.kind >= ARRAY_LEN(kinds) ||
	    len < kinds[n.kind].len_min || len > kinds[n.kind].len_max) {
		r->bad = true;
		return (struct reg_name){ 0 };
	}
	n.len = (uint8_t)len;
	rd_copy(&in, n.b, len);
	if (n.kind == REG_HOST_NAME && !reg_host_valid((const char *)n.b, len))
		r->bad = true;
	return n;
}

void wr_reg_value(struct wr *w, const struct reg_value *v)
{
	wr_u8(w, v->state);
	wr_u64(w, v->generation);
	wr_copy(w, v->owner.b, KEY_LEN);
	wr_u64(w, v->number);
	wr_u32(w, v->lease);
	wr_block(w, v->payload, v->payload_len);
	wr_block(w, v->proof, v->proof_len);
}

static void rd_slice(struct rd *r, size_t max, const uint8_t **at, size_t *len)
{
	struct rd in = rd_block(r, max);

	*at = in.p;
	*len = rd_left(&in);
}

/* A free register has no value: no state 0 is ever written down. */
bool rd_reg_value(struct rd *r, struct reg_value *v)
{
	v->state = rd_u8(r);
	v->generation = rd_u64(r);
	rd_copy(r, v->owner.b, KEY_LEN);
	v->number = rd_u64(r);
	v->lease = rd_u32(r);
	rd_slice(r, REG_PAYLOAD_MAX, &v->payload, &v->payload_len);
	rd_slice(r, REG_PROOF_MAX, &v->proof, &v->proof_len);
	if (v->state == REG_FREE || v->state > REG_GOVERNED || v->generation == 0)
		r->bad = true;
	return rd_ok(r);
}

void wr_ballot(struct wr *w, const struct ballot *b)
{
	wr_u32(w, b->era);
	wr_u32(w, b->epoch);
	wr_u64(w, b->counter);
	wr_u8(w, b->proposer);
}

struct ballot rd_ballot(struct rd *r)
{
	struct ballot b = { .era = rd_u32(r) };

	b.epoch = rd_u32(r);
	b.counter = rd_u64(r);
	b.proposer = rd_u8(r);
	return b;
}

static int order(uint64_t a, uint64_t b) { return (a > b) - (a < b); }

int ballot_compare(const struct ballot *a, const struct ballot *b)
{
	int by[] = { order(a->era, b->era), order(a->epoch, b->epoch),
		     order(a->counter, b->counter), order(a->proposer, b->proposer) };

	for (size_t i = 0; i < ARRAY_LEN(by); i++)
		if (by[i])
			return by[i];
	return 0;
}
