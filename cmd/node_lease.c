/* node_lease.c - what follows from owning, or no longer owning, an address or a name.
 *
 * An owned address goes onto the port, into vnet's fence, into the DHT and to every attached peer;
 * a lost one leaves the same places before anything else happens. */
#include "cmd/node.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/node_internal.h"

static struct ip address_of(const struct reg_name *name)
{
	struct ip ip = { .len = name->len };

	memcpy(ip.b, name->b, name->len <= 16 ? name->len : 16);
	return ip;
}

static void publish_grant(struct ns *s, const struct lease_event *e, usec_t now)
{
	ns_publish_grant(s, &e->name, e->grant, e->len, now);
	if (e->name.kind == REG_ADDRESS && (!e->more || ns_shows_all(s, now)))
		ns_show_all(s, now); /* of many the others are found, or asked for */
}

static void lease_renewed(struct ns *s, const struct lease_event *e, usec_t now)
{
	ns_no_trouble(s);
	publish_grant(s, e, now);
}

/* Ends a `name add` that waits for this name. */
static void end_naming(struct ns *s, const struct reg_name *name, enum node_result r, const char *text)
{
	if (!s->naming || name->kind != REG_HOST_NAME || strlen(s->naming_host) != name->len ||
	    memcmp(s->naming_host, name->b, name->len) != 0)
		return;
	node_notice(s->n, s->naming, r, "%s", text);
	s->naming = 0;
}

/* Of many addresses some may have no place on the port: those are held for hosts behind it. */
static void address_gained(struct ns *s, const struct lease_event *e, usec_t now)
{
	struct ip ip = address_of(&e->name);

	if (!e->more)
		s->v4 = ip;
	if (vnet_own(s->vnet, &ip, now))
		s->n->env.port_address(s->n->env.ctx, s->number, &ip,
				       regs_settings(s->regs)->subnet.bits, true);
}

static void lease_gained(struct ns *s, const struct lease_event *e, usec_t now)
{
	if (e->name.kind == REG_ADDRESS) {
		address_gained(s, e, now);
	} else if (!e->more) {
		char zone[100];

		snprintf(s->held_host, sizeof(s->held_host), "%.*s", e->name.len, e->name.b);
		vnet_set_host(s->vnet, s->held_host);
		snprintf(zone, sizeof(zone), "%s.%s", s->name,
			 regs_settings(s->regs)->domain[0] ? regs_settings(s->regs)->domain :
							     "internal");
		s->n->env.port_dns(s->n->env.ctx, s->number, &s->dns4, zone);
	}
	end_naming(s, &e->name, NODE_OK, s->naming_host);
	ns_lease_waits(s, e, "");
	lease_renewed(s, e, now);
	ns_check_ready(s, now);
}

static void lease_gone(struct ns *s, const struct lease_event *e, usec_t now)
{
	bool address = e->name.kind == REG_ADDRESS;
	struct ns_record r = ns_record_of(&e->name);
	struct ip ip = address_of(&e->name);

	ns_withdraw(s, &r, now);
	if (!address) {
		if (!e->more)
			s->held_host[0] = 0;
		return;
	}
	if (!s->port_up)
		return;
	if (vnet_disown(s->vnet, &ip, now))
		s->n->env.port_address(s->n->env.ctx, s->number, &ip,
				       regs_settings(s->regs)->subnet.bits, false);
	if (ip_equal(&ip, &s->v4))
		s->v4.len = 0;
	ns_check_ready(s, now);
}

/* It went to somebody else, as a person asked; its use ended when that began. */
static void lease_handed(struct ns *s, const struct lease_event *e, usec_t now)
{
	(void)now;
	ns_lease_waits(s, e, "");
}

/* What a wanted one is refused for, as a sentence: its owner by name and key, or that it is none. */
static void tell_refusal(struct ns *s, const struct lease_event *e, char *out, size_t size)
{
	char holder[64] = "", text[72], key[KEY_TEXT_LEN];
	struct ip ip = address_of(&e->name);

	if (e->name.kind == REG_ADDRESS)
		ip_text(text, &ip);
	else
		snprintf(text, sizeof(text), "%.*s", e->name.len, e->name.b);
	if (key_is_zero(&e->holder)) {
		snprintf(out, size, reg_name_is_reserved(&e->name) ? "%s is a reserved name" :
								     "%s cannot be leased here", text);
		return;
	}
	node_member_name(s->n, s->number, &e->holder, holder);
	key_text(key, &e->holder);
	snprintf(out, size, "%s is owned by %.63s%s%s", text, holder, holder[0] ? ", key " : "key ",
		 key);
}

/* The lease goes on with the next candidate by itself; one more name does not. */
static void lease_refused(struct ns *s, const struct lease_event *e, usec_t now)
{
	char text[NODE_REFUSED_MAX];

	(void)now;
	tell_refusal(s, e, text, sizeof(text));
	end_naming(s, &e->name, NODE_NO, text);
	ns_lease_waits(s, e, text);
	if (e->more)
		return;
	free(s->refused);
	s->refused = mem_text(text);
	log_warn(s->n->cfg.log, "%s: %s; taking another", s->name, text);
}

static void lease_failed(struct ns *s, const struct lease_event *e, usec_t now)
{
	static const char *const why[REG_STATUS_COUNT] = {
		[REG_NO_QUORUM] = "cannot reach a majority of keepers; what is held can be used until its "
				  "lease ends, the derived IPv6 address always (`vpnctl keepers`)",
		[REG_BUSY] = "the keepers began anew, and give nothing that somebody may own from before "
			     "until 30 days later (`vpnctl keepers`); who owned it gets it back, and the "
			     "derived IPv6 address can always be used",
		[REG_FULL] = "every address of the subnet is owned by somebody",
		[REG_QUOTA] = "the quota is used up (4 addresses, 1024 with the router right, "
			      "16 names); `vpnctl lease release` makes room, or an admin: `vpnctl "
			      "member set WHO --right router`",
		[REG_REVOKED] = "this node was revoked",
	};

	(void)now;
	if (e->status == REG_FULL && e->name.kind != REG_ADDRESS)
		ns_trouble(s, "the host name %.*s and all like it (-2, -3, ...) belong to others; "
			      "leave, and join with another --hostname", e->name.len, e->name.b);
	else
		ns_trouble(s, "%s", why[e->status] ? why[e->status] : reg_status_text(e->status));
	end_naming(s, &e->name, NODE_NO, s->trouble);
	ns_lease_waits(s, e, s->trouble);
}

static void (*const handlers[])(struct ns *s, const struct lease_event *e, usec_t now) = {
	[LEASE_GAINED] = lease_gained,	 [LEASE_RENEWED] = lease_renewed,
	[LEASE_GONE] = lease_gone,	 [LEASE_REFUSED] = lease_refused,
	[LEASE_FAILED] = lease_failed,	 [LEASE_HANDED] = lease_handed,
};

void ns_lease_event(struct ns *s, const struct lease_event *e, usec_t now)
{
	assert(e->type < ARRAY_LEN(handlers));
	if (s->vnet)
		handlers[e->type](s, e, now);
}
