/* settings.c - what the root fixes for a namespace; see grant.h. docs/protocol.md 7.1. */
#include "dht/grant.h"

#include <stddef.h>

#include "base/frame.h"

#define SETTINGS_VERSION 1
#define SETTINGS_LABEL "vpnd settings"
#define FLAG_OPEN 1u
#define FLAG_HARDENED 2u
#define LEASE_MIN 60   /* seconds */
#define MTU_MIN 576    /* RFC 791 */
#define MTU_MAX (FRAME_LEN_MAX - 14) /* what a frame carries behind its Ethernet header */
#define SUBNET_BITS_MIN 8
#define SUBNET_BITS_MAX 30 /* at least the lowest address and one host */

/* Labels of a DNS name, joined by dots. */
static bool domain_valid(const char *s)
{
	for (;;) {
		size_t n = strcspn(s, ".");

		if (!reg_host_valid(s, n))
			return false;
		if (!s[n])
			return true;
		s += n + 1;
	}
}

static bool subnet_valid(const struct prefix *p)
{
	uint32_t host;

	if (p->ip.len != 4 || p->bits < SUBNET_BITS_MIN || p->bits > SUBNET_BITS_MAX)
		return false;
	host = UINT32_MAX >> p->bits;
	return (ip_to_v4(&p->ip) & host) == 0;
}

static bool admins_valid(const struct settings *s, const struct crypto *c)
{
	for (size_t i = 0; i < s->admin_count; i++) {
		if (!c->key_valid(&s->admins[i]))
			return false;
		for (size_t j = 0; j < i; j++)
			if (key_equal(&s->admins[i], &s->admins[j]))
				return false;
	}
	return true;
}

static bool keepers_valid(uint8_t most)
{
	return most == 0 || (most % 2 == 1 && most <= KEEPERS_MAX);
}

static bool settings_valid(const struct settings *s, const struct crypto *c)
{
	return s->admin_count <= ADMINS_MAX && strlen(s->name) <= 32 &&
	       reg_host_valid(s->name, strlen(s->name)) &&
	       (!s->domain[0] || domain_valid(s->domain)) && subnet_valid(&s->subnet) &&
	       s->lease >= LEASE_MIN && s->mtu >= MTU_MIN && s->mtu <= MTU_MAX &&
	       keepers_valid(s->keepers) && admins_valid(s, c);
}

size_t settings_write(uint8_t *out, size_t size, const struct settings *s, const struct crypto *c,
		      const struct key_pair *root)
{
	struct wr w = wr_of(out, size);
	uint8_t sig[SIG_LEN];

	if (!settings_valid(s, c) || !key_equal(&s->root, &root->pub))
		return 0;
	wr_u8(&w, SETTINGS_VERSION);
	wr_copy(&w, s->root.b, KEY_LEN);
	wr_u64(&w, s->number);
	wr_block(&w, s->name, strlen(s->name));
	wr_block(&w, s->domain, strlen(s->domain));
	wr_ip(&w, &s->subnet.ip);
	wr_u8(&w, s->subnet.bits);
	wr_u32(&w, s->lease);
	wr_u16(&w, s->mtu);
	wr_u32(&w, (s->open ? FLAG_OPEN : 0) | (s->hardened ? FLAG_HARDENED : 0));
	wr_u8(&w, s->keepers);
	wr_u64(&w, s->era_began);
	wr_u8(&w, s->admin_count);
	for (size_t i = 0; i < s->admin_count; i++)
		wr_copy(&w, s->admins[i].b, KEY_LEN);
	if (!wr_ok(&w))
		return 0;
	c->sign(sig, root, SETTINGS_LABEL, out, wr_len(&w));
	wr_copy(&w, sig, SIG_LEN);
	return wr_ok(&w) ? wr_len(&w) : 0;
}

/* A text without zero bytes inside; `out` is zeroed and longer than max. */
static void rd_text(struct rd *r, char *out, size_t max)
{
	struct rd in = rd_block(r, max);
	size_t n = rd_left(&in);

	rd_copy(&in, out, n);
	if (strlen(out) != n)
		r->bad = true;
}

static void rd_settings(struct rd *r, struct settings *s)
{
	uint32_t flags;

	rd_copy(r, s->root.b, KEY_LEN);
	s->number = rd_u64(r);
	rd_text(r, s->name, sizeof(s->name) - 1);
	rd_text(r, s->domain, sizeof(s->domain) - 1);
	s->subnet.ip = rd_ip(r);
	s->subnet.bits = rd_u8(r);
	s->lease = rd_u32(r);
	s->mtu = rd_u16(r);
	flags = rd_u32(r);
	s->open = flags & FLAG_OPEN;
	s->hardened = flags & FLAG_HARDENED;
	s->keepers = rd_u8(r);
	s->era_began = rd_u64(r);
	s->admin_count = rd_u8(r);
	if ((flags & ~(FLAG_OPEN | FLAG_HARDENED)) || s->admin_count > ADMINS_MAX)
		r->bad = true;
	for (size_t i = 0; rd_ok(r) && i < s->admin_count; i++)
		rd_copy(r, s->admins[i].b, KEY_LEN);
}

bool settings_read(struct settings *s, const uint8_t *b, size_t len, const struct pubkey *root,
		   const struct crypto *c)
{
	struct rd r = rd_of(b, len);
	bool version = rd_u8(&r) == SETTINGS_VERSION;
	const uint8_t *sig;

	memset(s, 0, sizeof(*s));
	rd_settings(&r, s);
	sig = rd_bytes(&r, SIG_LEN);
	return rd_done(&r) && version && settings_valid(s, c) && key_equal(&s->root, root) &&
	       c->verify(sig, root, SETTINGS_LABEL, b, len - SIG_LEN);
}

size_t settings_size(const struct settings *s)
{
	return offsetof(struct settings, admins) + s->admin_count * sizeof(s->admins[0]);
}

void settings_copy(struct settings *to, const struct settings *from)
{
	memset(to, 0, sizeof(*to));
	memcpy(to, from, settings_size(from));
}

bool settings_is_admin(const struct settings *s, const struct pubkey *key)
{
	if (key_equal(&s->root, key))
		return true;
	for (size_t i = 0; i < s->admin_count; i++)
		if (key_equal(&s->admins[i], key))
			return true;
	return false;
}
