/* lease_name.c - which addresses and names to ask for, in which order.
 *
 * Addresses: base + 2 + H("vpnd candidate", nsid, key, attempt) mod usable, so that contention is
 * rare and a returning node asks for its old one. The network, the lowest address (DNS) and the
 * broadcast address are no candidates. In a small subnet, where random picks would miss the last
 * free one, the attempts walk round from the first pick instead. Names: NAME, NAME-2 .. NAME-9. */
#include "dht/lease_impl.h"

#include <stdio.h>

#define RESERVED_LOW 2	/* network and DNS */
#define RESERVED 3	/* and broadcast */
#define WALK_MAX 64	/* usable addresses up to which attempts walk */
#define NAME_TRIES 9

uint32_t lease_usable_count(const struct prefix *p)
{
	if (p->ip.len != 4 || p->bits > 30)
		return 0;
	return (uint32_t)(((uint64_t)1 << (32 - p->bits)) - RESERVED);
}

bool lease_usable(const struct leases *l, const struct ip *ip)
{
	uint32_t at;

	if (ip->len != 4 || lease_usable_count(&l->cfg.subnet) == 0 || !prefix_has(&l->cfg.subnet, ip))
		return false;
	at = ip_to_v4(ip) - ip_to_v4(&l->cfg.subnet.ip);
	return at >= RESERVED_LOW && at - RESERVED_LOW < lease_usable_count(&l->cfg.subnet);
}

static uint64_t pick(const struct leases *l, uint32_t attempt)
{
	uint8_t out[16], number[4];
	struct hash h;
	struct rd r = rd_of(out, sizeof(out));
	struct wr w = wr_of(number, sizeof(number));

	wr_u32(&w, attempt);
	hash_begin(&h, "vpnd candidate", sizeof(out));
	hash_add(&h, l->cfg.nsid, NSID_LEN);
	hash_add(&h, l->cfg.self.b, KEY_LEN);
	hash_add(&h, number, sizeof(number));
	hash_end(&h, out);
	return rd_u64(&r);
}

bool lease_candidate(const struct leases *l, uint32_t attempt, struct reg_name *out)
{
	uint32_t usable = lease_usable_count(&l->cfg.subnet);
	struct ip ip;
	uint64_t at;

	if (usable == 0)
		return false;
	at = usable <= WALK_MAX ? pick(l, 0) % usable + attempt % usable : pick(l, attempt);
	ip = ip_v4(ip_to_v4(&l->cfg.subnet.ip) + RESERVED_LOW + (uint32_t)(at % usable));
	*out = reg_name_address(&ip);
	return true;
}

static char clean(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
}

/* The first label of what the host calls itself, in the letters that 8.1 allows. */
void lease_host_clean(char out[LEASE_HOST_MAX + 1], const char *host)
{
	size_t n = 0;

	for (; *host && *host != '.' && n < LEASE_HOST_MAX; host++) {
		char c = clean(*host);

		if (c != '-' || (n > 0 && out[n - 1] != '-'))
			out[n++] = c;
	}
	while (n > 0 && out[n - 1] == '-')
		n--;
	out[n] = 0;
	if (n == 0)
		snprintf(out, LEASE_HOST_MAX + 1, "host");
}

static bool numbered(const char *host, uint32_t attempt, struct reg_name *out)
{
	char text[LEASE_HOST_MAX + 1];
	size_t keep = LEASE_HOST_MAX - 2;

	if (attempt >= NAME_TRIES)
		return false;
	if (attempt == 0)
		return reg_name_host(out, host);
	while (keep > 0 && strlen(host) >= keep && host[keep - 1] == '-')
		keep--; /* no double hyphen where a long name is cut */
	snprintf(text, sizeof(text), "%.*s-%u", (int)keep, host, (unsigned)attempt + 1);
	return reg_name_host(out, text);
}

bool lease_host_candidate(const char *host, uint32_t era, uint32_t attempt, struct reg_name *out)
{
	char text[REG_NAME_MAX + 16];

	if (!era || attempt % 2 == 0)
		return numbered(host, era ? attempt / 2 : attempt, out);
	if (!numbered(host, attempt / 2, out))
		return false;
	snprintf(text, sizeof(text), "%.*s-e%u", (int)out->len, (const char *)out->b, (unsigned)era);
	return reg_name_host(out, text);
}
