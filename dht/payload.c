/* payload.c - what stands inside a register's value; see payload.h. docs/protocol.md 8.3.
 *
 * Sets (groups, uses, revoked keys) refuse doubles; the revocation list is kept in rising order, so
 * that asking it is a binary search and equal lists have equal bytes. */
#include "dht/payload.h"

#include <errno.h>

#include "base/list.h"

enum owned_tlv { TLV_MAC = 1, TLV_HOST = 2, TLV_V4 = 3, TLV_V6 = 4 };

static const char *const rights[] = { "keeper", "relay", "router", "edge",
				      "proxy",	"policy", "fixed", "admin" };

static void wr_tlv(struct wr *w, enum owned_tlv type, const void *b, size_t len)
{
	if (len == 0)
		return;
	wr_u8(w, (uint8_t)type);
	wr_u8(w, (uint8_t)len);
	wr_copy(w, b, len);
}

void wr_owned_payload(struct wr *w, const struct owned_payload *p)
{
	wr_tlv(w, TLV_MAC, p->mac, p->has_mac ? sizeof(p->mac) : 0);
	wr_tlv(w, TLV_HOST, p->host, strlen(p->host));
	wr_tlv(w, TLV_V4, p->v4.b, p->v4.len);
	wr_tlv(w, TLV_V6, p->v6.b, p->v6.len);
}

static void rd_tlv_ip(struct rd *in, struct ip *ip, size_t len)
{
	ip->len = (uint8_t)len;
	rd_copy(in, ip->b, len);
}

static bool owned_tlv_read(struct owned_payload *p, uint8_t type, struct rd *in)
{
	size_t len = rd_left(in);

	switch (type) {
	case TLV_MAC:
		p->has_mac = true;
		rd_copy(in, p->mac, sizeof(p->mac));
		break;
	case TLV_HOST:
		if (len >= sizeof(p->host))
			return false;
		rd_copy(in, p->host, len);
		return reg_host_valid(p->host, len);
	case TLV_V4: rd_tlv_ip(in, &p->v4, 4); break;
	case TLV_V6: rd_tlv_ip(in, &p->v6, 16); break;
	default: return false;
	}
	return rd_done(in);
}

bool owned_payload_read(struct owned_payload *p, const uint8_t *b, size_t len)
{
	struct rd r = rd_of(b, len);
	uint8_t last = 0;

	memset(p, 0, sizeof(*p));
	while (rd_left(&r)) {
		uint8_t type = rd_u8(&r);
		size_t n = rd_u8(&r);
		const uint8_t *at = rd_bytes(&r, n);
		struct rd in = at ? rd_of(at, n) : (struct rd){ .bad = true };

		if (type <= last || !owned_tlv_read(p, type, &in))
			return false;
		last = type;
	}
	return rd_done(&r);
}

static void wr_groups(struct wr *w, const struct reg_groups *g)
{
	wr_u8(w, g->count);
	for (size_t i = 0; i < g->count; i++)
		wr_block(w, g->name[i], strlen(g->name[i]));
}

static bool group_valid(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!(name[i] >= 'a' && name[i] <= 'z') && !(name[i] >= '0' && name[i] <= '9') &&
		    !memchr("-_.", name[i], 3))
			return false;
	return len > 0;
}

static void rd_groups(struct rd *r, struct reg_groups *g)
{
	uint8_t count = rd_u8(r);

	memset(g, 0, sizeof(*g));
	if (count > REG_GROUPS_MAX)
		r->bad = true;
	for (size_t i = 0; rd_ok(r) && i < count; i++) {
		struct rd in = rd_block(r, REG_GROUP_LEN);
		size_t len = rd_left(&in);

		rd_copy(&in, g->name[i], len);
		if (!group_valid(g->name[i], len) || reg_groups_has(g, g->name[i]))
			r->bad = true;
		g->count++;
	}
}

bool reg_groups_has(const struct reg_groups *g, const char *name)
{
	for (size_t i = 0; i < g->count; i++)
		if (strcmp(g->name[i], name) == 0)
			return true;
	return false;
}

static bool rd_flag(struct rd *r)
{
	uint8_t b = rd_u8(r);

	if (b > 1)
		r->bad = true;
	return b == 1;
}

static uint32_t rd_rights(struct rd *r)
{
	uint32_t v = rd_u32(r);

	if (v & ~RIGHTS_ALL)
		r->bad = true;
	return v;
}

void wr_token_payload(struct wr *w, const struct token_payload *p)
{
	wr_u16(w, p->uses);
	wr_u64(w, p->expires);
	wr_u8(w, p->revoked);
	wr_u8(w, p->ephemeral);
	wr_u32(w, p->rights);
	wr_u8(w, p->keepers);
	wr_groups(w, &p->groups);
	wr_u8(w, p->used);
	wr_copy(w, p->used_by, (size_t)p->used * sizeof(p->used_by[0]));
}

static bool has_doubles(const struct token_payload *p)
{
	for (size_t i = 0; i < p->used; i++)
		for (size_t j = 0; j < i; j++)
			if (memcmp(p->used_by[i], p->used_by[j], sizeof(p->used_by[0])) == 0)
				return true;
	return false;
}

bool token_payload_read(struct token_payload *p, const uint8_t *b, size_t len)
{
	struct rd r = rd_of(b, len);

	memset(p, 0, sizeof(*p));
	p->uses = rd_u16(&r);
	p->expires = rd_u64(&r);
	p->revoked = rd_flag(&r);
	p->ephemeral = rd_flag(&r);
	p->rights = rd_rights(&r);
	p->keepers = rd_u8(&r);
	rd_groups(&r, &p->groups);
	p->used = rd_u8(&r);
	if (!rd_ok(&r) || p->uses == 0 || p->uses > REG_USES_MAX || p->used > p->uses ||
	    p->keepers > p->uses)
		return false;
	rd_copy(&r, p->used_by, (size_t)p->used * sizeof(p->used_by[0]));
	return rd_done(&r) && !has_doubles(p);
}

uint32_t token_rights(const struct token_payload *p, const struct pubkey *node)
{
	uint8_t who[16];

	token_use_hash(who, node);
	for (size_t i = 0; i < p->keepers && i < p->used; i++)
		if (memcmp(p->used_by[i], who, sizeof(who)) == 0)
			return p->rights | RIGHT_KEEPER;
	return p->rights;
}

void wr_member_payload(struct wr *w, const struct member_payload *p)
{
	wr_block(w, p->host, strlen(p->host));
	wr_u32(w, p->rights);
	wr_groups(w, &p->groups);
	wr_copy(w, p->token, sizeof(p->token));
	wr_u64(w, p->serial);
	wr_u64(w, p->not_after);
	wr_u8(w, p->revoked);
	wr_u8(w, p->ephemeral);
}

bool member_payload_read(struct member_payload *p, const uint8_t *b, size_t len)
{
	struct rd r = rd_of(b, len), host = rd_block(&r, sizeof(p->host) - 1);
	size_t n = rd_left(&host);

	memset(p, 0, sizeof(*p));
	rd_copy(&host, p->host, n);
	p->rights = rd_rights(&r);
	rd_groups(&r, &p->groups);
	rd_copy(&r, p->token, sizeof(p->token));
	p->serial = rd_u64(&r);
	p->not_after = rd_u64(&r);
	p->revoked = rd_flag(&r);
	p->ephemeral = rd_flag(&r);
	return rd_done(&r) && (n == 0 || reg_host_valid(p->host, n));
}

void wr_revocation_payload(struct wr *w, const struct revocation_payload *p)
{
	wr_u64(w, p->number);
	wr_u16(w, p->count);
	wr_copy(w, p->who, (size_t)p->count * ID_LEN);
}

bool revocation_payload_read(struct revocation_payload *p, const uint8_t *b, size_t len)
{
	struct rd r = rd_of(b, len);

	memset(p, 0, sizeof(*p));
	p->number = rd_u64(&r);
	p->count = rd_u16(&r);
	if (!rd_ok(&r) || p->count > REG_REVOKED_MAX)
		return false;
	rd_copy(&r, p->who, (size_t)p->count * ID_LEN);
	for (size_t i = 1; i < p->count; i++)
		if (memcmp(p->who[i - 1].b, p->who[i].b, ID_LEN) >= 0)
			return false;
	return rd_done(&r);
}

void wr_start_payload(struct wr *w, const struct start_payload *p)
{
	wr_u32(w, p->counter);
	wr_copy(w, p->nonce, sizeof(p->nonce));
}

bool start_payload_read(struct start_payload *p, const uint8_t *b, size_t len)
{
	struct rd r = rd_of(b, len);

	p->counter = rd_u32(&r);
	rd_copy(&r, p->nonce, sizeof(p->nonce));
	return rd_done(&r);
}

void token_use_hash(uint8_t out[16], const struct pubkey *node)
{
	hash_of(out, 16, "vpnd token use", node->b, KEY_LEN);
}

struct node_id revoked_hash(const struct pubkey *key)
{
	struct node_id id;

	hash_of(id.b, ID_LEN, "vpnd revoked", key->b, KEY_LEN);
	return id;
}

/* The first entry that is not below `who`. */
static size_t revocation_place(const struct revocation_payload *p, const struct node_id *who)
{
	size_t low = 0, high = p->count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (memcmp(p->who[mid].b, who->b, ID_LEN) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool revocation_has(const struct revocation_payload *p, const struct pubkey *key)
{
	struct node_id who = revoked_hash(key);
	size_t at = revocation_place(p, &who);

	return at < p->count && id_equal(&p->who[at], &who);
}

int revocation_add(struct revocation_payload *p, const struct node_id *who)
{
	size_t at = revocation_place(p, who);

	if (at < p->count && id_equal(&p->who[at], who))
		return -EEXIST;
	if (p->count >= REG_REVOKED_MAX)
		return -ENOSPC;
	memmove(&p->who[at + 1], &p->who[at], (p->count - at) * sizeof(p->who[0]));
	p->who[at] = *who;
	p->count++;
	return 0;
}

uint32_t right_parse(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(rights); i++)
		if (strcmp(rights[i], text) == 0)
			return 1u << i;
	return 0;
}

const char *right_text(uint32_t one_bit)
{
	for (size_t i = 0; i < ARRAY_LEN(rights); i++)
		if (one_bit == 1u << i)
			return rights[i];
	return "?";
}
