/* dns.c - see dns.h. The messages are libldns' business; where a name lies in our zones is ours.
 *
 * Three zones: NAME.DOMAIN, and the reverse trees of both subnets. A name is looked at from the
 * right: outside the zones it is refused; the apex has SOA and NS; one label below the forward apex
 * may be a host; a full reverse name inside a subnet may be an address; other names do not exist.
 * Reverse apexes are cut at the next whole octet (nibble) of the prefix. Everything libldns makes
 * lives within one call. The bounds of names keep replies below DNS_MESSAGE_MAX; one that is
 * not goes without its SOA. */
#include "vnet/dns.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ldns/ldns.h>

#define HEADER_LEN 12
#define QUERY_MAX 1500	/* longer ones are not looked at */
#define TTL_NEGATIVE 5	/* a host that joins now is asked for again soon */
#define EDNS_SIZE DNS_MESSAGE_MAX
#define LABELS_MAX 40

enum where { OUTSIDE, APEX, HOST, ADDRESS, EMPTY, MISSING };

struct place {
	enum where where;
	unsigned apex_labels; /* of the zone it lies in */
	char host[64];
	struct ip ip;
};

/* A name as its labels, lower case, from the left. */
struct labels {
	unsigned count;
	char of[LABELS_MAX][64];
};

static bool labels_read(struct labels *l, const ldns_rdf *name)
{
	struct rd r = rd_of(ldns_rdf_data(name), ldns_rdf_size(name));
	size_t n;

	l->count = 0;
	while ((n = rd_u8(&r)) != 0) {
		if (l->count == LABELS_MAX || n > 63)
			return false;
		memset(l->of[l->count], 0, sizeof(l->of[0]));
		rd_copy(&r, l->of[l->count], n);
		for (char *c = l->of[l->count]; *c; c++)
			if (*c >= 'A' && *c <= 'Z')
				*c = (char)(*c + 'a' - 'A');
		if (strlen(l->of[l->count++]) != n)
			return false; /* a zero byte inside */
	}
	return rd_ok(&r);
}

/* Is the text (labels with dots) the end of the name? Returns its labels, 0 = no. */
static unsigned ends_with(const struct labels *l, const char *text)
{
	ldns_rdf *name = ldns_dname_new_frm_str(text);
	struct labels end = { 0 };
	bool same = name && labels_read(&end, name) && end.count <= l->count;

	for (unsigned i = 0; same && i < end.count; i++)
		same = strcmp(end.of[i], l->of[l->count - end.count + i]) == 0;
	ldns_rdf_deep_free(name);
	return same ? end.count : 0;
}

static bool is_host_label(const char *s)
{
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")] == 0;
}

static void locate_forward(const struct labels *l, unsigned apex, struct place *p)
{
	p->apex_labels = apex;
	p->where = MISSING;
	if (l->count == apex) {
		p->where = APEX;
	} else if (l->count == apex + 1 && is_host_label(l->of[0])) {
		p->where = HOST;
		memcpy(p->host, l->of[0], sizeof(p->host));
	}
}

/* One label of a reverse name: an octet in decimal or a nibble in hex; -1 = neither. */
static int reverse_digit(const char *s, bool v4)
{
	char canonical[8];
	int n = (int)strtol(s, NULL, v4 ? 10 : 16);

	snprintf(canonical, sizeof(canonical), v4 ? "%d" : "%x", n & (v4 ? 255 : 15));
	return strcmp(s, canonical) == 0 ? n : -1;
}

/* Puts the digits of the name, from the right, into an address; false if one is none. */
static bool reverse_read(const struct labels *l, unsigned digits, struct ip *ip)
{
	bool v4 = ip->len == 4;

	for (unsigned i = 0; i < digits; i++) {
		int n = reverse_digit(l->of[l->count - 3 - i], v4);

		if (n < 0)
			return false;
		if (v4)
			ip->b[i] = (uint8_t)n;
		else
			ip->b[i / 2] |= (uint8_t)(i % 2 ? n : n << 4);
	}
	return true;
}

static void locate_reverse(const struct labels *l, const struct prefix *subnet, struct place *p)
{
	unsigned step = subnet->ip.len == 4 ? 8 : 4, whole = subnet->ip.len * 8u / step;
	unsigned apex = (subnet->bits + step - 1) / step, digits = l->count - 2;
	struct ip ip = { .len = subnet->ip.len };

	if (digits < apex || !reverse_read(l, digits < whole ? digits : whole, &ip) ||
	    !prefix_has(subnet, &ip))
		return;
	p->apex_labels = apex + 2;
	p->ip = ip;
	if (digits == apex && digits < whole)
		p->where = APEX;
	else if (digits < whole)
		p->where = EMPTY;
	else
		p->where = digits == whole ? ADDRESS : MISSING;
}

static struct place locate(const struct dns_zone *z, const ldns_rdf *name)
{
	struct place p = { .where = OUTSIDE };
	char zone[100];
	struct labels l;
	unsigned n;

	snprintf(zone, sizeof(zone), "%s.%s.", z->name, z->domain);
	if (!labels_read(&l, name))
		return p;
	n = ends_with(&l, zone);
	if (n)
		locate_forward(&l, n, &p);
	else if (z->subnet.ip.len && ends_with(&l, "in-addr.arpa."))
		locate_reverse(&l, &z->subnet, &p);
	else if (z->subnet6.ip.len && ends_with(&l, "ip6.arpa."))
		locate_reverse(&l, &z->subnet6, &p);
	return p;
}

/* --- replies --- */

/* A reply under construction. */
struct reply {
	ldns_pkt *pkt;
	ldns_rr *question; /* owned by pkt */
};

static struct reply reply_begin(const struct dns_question *q, ldns_pkt_rcode rcode)
{
	struct reply r = { .pkt = ldns_pkt_new() };
	size_t at = 0;

	assert(r.pkt);
	ldns_pkt_set_id(r.pkt, q->id);
	ldns_pkt_set_qr(r.pkt, true);
	ldns_pkt_set_rd(r.pkt, q->recursion_desired);
	ldns_pkt_set_rcode(r.pkt, (uint8_t)rcode);
	ldns_pkt_set_aa(r.pkt, rcode == LDNS_RCODE_NOERROR || rcode == LDNS_RCODE_NXDOMAIN);
	if (q->edns)
		ldns_pkt_set_edns_udp_size(r.pkt, EDNS_SIZE);
	if (q->wire_len && ldns_wire2rr(&r.question, q->wire, q->wire_len, &at,
					LDNS_SECTION_QUESTION) == LDNS_STATUS_OK)
		ldns_pkt_push_rr(r.pkt, LDNS_SECTION_QUESTION, r.question);
	return r;
}

static size_t reply_end(struct reply *r, uint8_t out[DNS_MESSAGE_MAX])
{
	uint8_t *wire = NULL;
	size_t len = 0;

	if (ldns_pkt2wire(&wire, r->pkt, &len) != LDNS_STATUS_OK)
		len = 0;
	if (len > DNS_MESSAGE_MAX)
		len = 0;
	if (len)
		memcpy(out, wire, len);
	free(wire);
	ldns_pkt_free(r->pkt);
	return len;
}

/* Takes over the record data; NULLs (a name libldns does not like) drop the record. */
static void reply_add(struct reply *r, ldns_pkt_section section, ldns_rdf *owner,
		      ldns_rr_type type, ldns_rdf *data)
{
	ldns_rr *rr = ldns_rr_new();

	ldns_rr_set_owner(rr, owner);
	ldns_rr_set_type(rr, type);
	ldns_rr_set_class(rr, LDNS_RR_CLASS_IN);
	ldns_rr_set_ttl(rr, DNS_TTL);
	if (data)
		ldns_rr_push_rdf(rr, data);
	if (owner && data)
		ldns_pkt_push_rr(r->pkt, section, rr);
	else
		ldns_rr_free(rr);
}

static ldns_rdf *name_in_zone(const struct dns_zone *z, const char *host)
{
	char text[64 + 33 + 65 + 4];

	snprintf(text, sizeof(text), "%s.%s.%s.", host, z->name, z->domain);
	return ldns_dname_new_frm_str(text);
}

static ldns_rdf *apex_of(const struct reply *r, unsigned labels)
{
	ldns_rdf *name = ldns_rr_owner(r->question);

	return ldns_dname_clone_from(name, (uint16_t)(ldns_dname_label_count(name) - labels));
}

static void add_soa(struct reply *r, const struct dns_zone *z, unsigned apex_labels,
		    ldns_pkt_section section)
{
	static const uint32_t numbers[] = { 1, 3600, 600, 86400, TTL_NEGATIVE };
	ldns_rr *rr = ldns_rr_new();
	ldns_rdf *server = name_in_zone(z, "dns"), *admin = name_in_zone(z, "hostmaster");

	ldns_rr_set_owner(rr, apex_of(r, apex_labels));
	ldns_rr_set_type(rr, LDNS_RR_TYPE_SOA);
	ldns_rr_set_class(rr, LDNS_RR_CLASS_IN);
	ldns_rr_set_ttl(rr, TTL_NEGATIVE);
	assert(server && admin); /* vnet's configuration was checked */
	ldns_rr_push_rdf(rr, server);
	ldns_rr_push_rdf(rr, admin);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		ldns_rr_push_rdf(rr, ldns_native2rdf_int32(i ? LDNS_RDF_TYPE_PERIOD :
							       LDNS_RDF_TYPE_INT32, numbers[i]));
	ldns_pkt_push_rr(r->pkt, section, rr);
}

/* Only the question and a code; for NXDOMAIN and empty answers with the SOA of the zone. */
static size_t plain(const struct dns_question *q, ldns_pkt_rcode rcode,
		    uint8_t out[DNS_MESSAGE_MAX])
{
	struct reply r = reply_begin(q, rcode);

	return reply_end(&r, out);
}

static size_t negative(const struct dns_zone *z, const struct dns_question *q,
		       ldns_pkt_rcode rcode, uint8_t out[DNS_MESSAGE_MAX])
{
	struct reply r = reply_begin(q, rcode);
	struct place p = locate(z, ldns_rr_owner(r.question));
	size_t len;

	add_soa(&r, z, p.apex_labels, LDNS_SECTION_AUTHORITY);
	len = reply_end(&r, out);
	return len ? len : plain(q, rcode, out);
}

static size_t answer_apex(const struct dns_zone *z, const struct dns_question *q,
			  unsigned apex_labels, uint8_t out[DNS_MESSAGE_MAX])
{
	struct reply r;

	if (q->type != LDNS_RR_TYPE_SOA && q->type != LDNS_RR_TYPE_NS)
		return negative(z, q, LDNS_RCODE_NOERROR, out);
	r = reply_begin(q, LDNS_RCODE_NOERROR);
	if (q->type == LDNS_RR_TYPE_SOA)
		add_soa(&r, z, apex_labels, LDNS_SECTION_ANSWER);
	else
		reply_add(&r, LDNS_SECTION_ANSWER, apex_of(&r, apex_labels), LDNS_RR_TYPE_NS,
			  name_in_zone(z, "dns"));
	return reply_end(&r, out);
}

size_t dns_answer_name(const struct dns_zone *z, const struct dns_question *q, const struct ip *v4,
		       const struct ip *v6, uint8_t out[DNS_MESSAGE_MAX])
{
	bool a = q->type == LDNS_RR_TYPE_A;
	const struct ip *ip = a ? v4 : v6;
	struct reply r;

	if (!v4->len && !v6->len)
		return negative(z, q, LDNS_RCODE_NXDOMAIN, out);
	if (!ip->len)
		return negative(z, q, LDNS_RCODE_NOERROR, out);
	r = reply_begin(q, LDNS_RCODE_NOERROR);
	reply_add(&r, LDNS_SECTION_ANSWER, ldns_rdf_clone(ldns_rr_owner(r.question)),
		  a ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA,
		  ldns_rdf_new_frm_data(a ? LDNS_RDF_TYPE_A : LDNS_RDF_TYPE_AAAA, ip->len, ip->b));
	return reply_end(&r, out);
}

size_t dns_answer_host(const struct dns_zone *z, const struct dns_question *q, const char *host,
		       uint8_t out[DNS_MESSAGE_MAX])
{
	char mechanical[16];
	struct reply r;

	if (host && !*host && q->ip.len == 4) {
		dns_mechanical(mechanical, &q->ip);
		host = mechanical;
	}
	if (!host || !*host)
		return negative(z, q, LDNS_RCODE_NXDOMAIN, out);
	r = reply_begin(q, LDNS_RCODE_NOERROR);
	reply_add(&r, LDNS_SECTION_ANSWER, ldns_rdf_clone(ldns_rr_owner(r.question)),
		  LDNS_RR_TYPE_PTR, name_in_zone(z, host));
	return reply_end(&r, out);
}

size_t dns_servfail(const struct dns_question *q, uint8_t out[DNS_MESSAGE_MAX])
{
	return plain(q, LDNS_RCODE_SERVFAIL, out);
}

/* --- queries --- */

#define FLAG_RESPONSE 0x8000
#define FLAG_RECURSION 0x0100
#define OPCODE(flags) ((flags) >> 11 & 15)

/* Copies the question section as it came; *name is to be freed. False when it is malformed. */
static bool question_read(const uint8_t *msg, size_t len, struct dns_question *q, ldns_rdf **name,
			  uint16_t *class)
{
	size_t at = HEADER_LEN;
	struct rd r;

	if (ldns_wire2dname(name, msg, len, &at) != LDNS_STATUS_OK)
		return false;
	if (at - HEADER_LEN != ldns_rdf_size(*name)) /* compressed: there is nothing before it */
		return false;
	r = rd_of(msg + at, len - at);
	q->type = rd_u16(&r);
	*class = rd_u16(&r);
	q->wire_len = at + 4 - HEADER_LEN;
	if (!rd_ok(&r) || q->wire_len > sizeof(q->wire))
		q->wire_len = 0;
	memcpy(q->wire, msg + HEADER_LEN, q->wire_len);
	return q->wire_len != 0;
}

/* The whole message must parse, and EDNS is noticed. */
static bool rest_is_ok(const uint8_t *msg, size_t len, struct dns_question *q)
{
	ldns_pkt *pkt = NULL;
	bool ok = ldns_wire2pkt(&pkt, msg, len) == LDNS_STATUS_OK;

	q->edns = ok && ldns_pkt_edns(pkt);
	ldns_pkt_free(pkt);
	return ok;
}

static enum dns_want in_place(const struct dns_zone *z, const struct place *p,
			      struct dns_question *q, uint8_t out[DNS_MESSAGE_MAX], size_t *out_len)
{
	bool host = q->type == LDNS_RR_TYPE_A || q->type == LDNS_RR_TYPE_AAAA;

	q->ip = p->ip;
	memcpy(q->host, p->host, sizeof(q->host));
	if (p->where == HOST && host)
		return DNS_NAME;
	if (p->where == ADDRESS && q->type == LDNS_RR_TYPE_PTR)
		return DNS_HOST;
	if (p->where == OUTSIDE)
		*out_len = plain(q, LDNS_RCODE_REFUSED, out);
	else if (p->where == APEX)
		*out_len = answer_apex(z, q, p->apex_labels, out);
	else
		*out_len = negative(z, q, p->where == MISSING ? LDNS_RCODE_NXDOMAIN :
								LDNS_RCODE_NOERROR, out);
	return DNS_ANSWERED;
}

static enum dns_want in_question(const struct dns_zone *z, const uint8_t *msg, size_t len,
				 struct dns_question *q, uint8_t out[DNS_MESSAGE_MAX],
				 size_t *out_len)
{
	ldns_rdf *name = NULL;
	uint16_t class = 0;
	struct place p = { 0 };
	bool ok = question_read(msg, len, q, &name, &class) && rest_is_ok(msg, len, q);

	if (ok && class == LDNS_RR_CLASS_IN)
		p = locate(z, name);
	ldns_rdf_deep_free(name);
	if (ok)
		return in_place(z, &p, q, out, out_len);
	q->wire_len = 0;
	*out_len = plain(q, LDNS_RCODE_FORMERR, out);
	return DNS_ANSWERED;
}

enum dns_want dns_query(const struct dns_zone *z, const uint8_t *msg, size_t len,
			struct dns_question *q, uint8_t out[DNS_MESSAGE_MAX], size_t *out_len)
{
	struct rd r = rd_of(msg, len);
	uint16_t flags, questions;

	*q = (struct dns_question){ .id = rd_u16(&r) };
	flags = rd_u16(&r);
	questions = rd_u16(&r);
	rd_bytes(&r, 6);
	q->recursion_desired = (flags & FLAG_RECURSION) != 0;
	*out_len = 0;
	if (!rd_ok(&r) || flags & FLAG_RESPONSE)
		return DNS_IGNORE;
	if (OPCODE(flags) == 0 && questions == 1 && len <= QUERY_MAX)
		return in_question(z, msg, len, q, out, out_len);
	*out_len = plain(q, OPCODE(flags) ? LDNS_RCODE_NOTIMPL : LDNS_RCODE_FORMERR, out);
	return DNS_ANSWERED;
}

/* --- mechanical names --- */

void dns_mechanical(char out[16], const struct ip *ip)
{
	assert(ip->len == 4);
	snprintf(out, 16, "C%03u%03u%03u", ip->b[1], ip->b[2], ip->b[3]);
}

bool dns_mechanical_parse(const struct prefix *subnet, const char *host, struct ip *out)
{
	uint32_t v = subnet->ip.len == 4 ? ip_to_v4(&subnet->ip) >> 24 : 0;
	const char *digits = host + 1;

	if (subnet->ip.len != 4 || subnet->bits < 8 || (*host != 'C' && *host != 'c') ||
	    strlen(digits) != 9 || strspn(digits, "0123456789") != 9)
		return false;
	for (int i = 0; i < 3; i++, digits += 3) {
		unsigned octet = (unsigned)(digits[0] - '0') * 100 +
				 (unsigned)(digits[1] - '0') * 10 + (unsigned)(digits[2] - '0');

		if (octet > 255)
			return false;
		v = v << 8 | octet;
	}
	*out = ip_v4(v);
	return prefix_has(subnet, out);
}
