/* node_backup.c - what outlives the creator's machine, and beginning again with it.
 *
 * A backup is one line: BACKUP_PREFIX, a token (dht/token.h) whose secret is the root key's seed and
 * which brings the overlay key, the rendezvous secret and contacts, a dot, and in base64url the
 * settings, the newest keeper set, the namespace secrets and a checksum. With it a new machine needs nothing of
 * the old one. On a member it only brings the root key; elsewhere it begins a new era, so a person
 * has to say that the keepers are gone for good; it is the one after the last that anybody tells of
 * within ERA_LOOK. Lines of earlier versions hold the root key alone.
 *
 * Every node shows its leases' grants to the keepers of a new era until it has them anew. */
#include "cmd/node.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/node_internal.h"

#define BACKUP_PREFIX "vpnd-root2:"
#define KEY_PREFIX "vpnd-root1:" /* the root key alone */
#define TOKEN_PREFIX "vpnd1:"
#define BACKUP_TEXT_MAX 8192
#define ESTATE_MAX 3072
#define CHECKSUM_LEN 4
#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define SHOW_EVERY SEC(5)
#define LOOK_EVERY SEC(10)
#define ERA_TIMEOUT SEC(30)
#define ERA_LOOK SEC(5) /* whether the backup is of an earlier era than the last */
#define ERA_ASK SEC(1)

/* --- backup --- */

static void checksum(uint8_t out[CHECKSUM_LEN], const uint8_t *b, size_t len)
{
	uint8_t full[16];

	hash_of(full, sizeof(full), "vpnd backup text", b, len);
	memcpy(out, full, CHECKSUM_LEN);
}

static size_t estate_write(struct ns *s, uint8_t out[ESTATE_MAX])
{
	const struct config *cf = regs_keepers(s->regs);
	struct wr w = wr_of(out, ESTATE_MAX);
	struct regs_secret secrets[2];
	size_t count = regs_secrets(s->regs, secrets);
	uint8_t sum[CHECKSUM_LEN];
	const uint8_t *settings;
	size_t len = regs_settings_bytes(s->regs, &settings);

	wr_block(&w, settings, len);
	wr_block(&w, cf->bytes, cf->len);
	wr_u8(&w, (uint8_t)count);
	for (size_t i = 0; i < count; i++) {
		wr_u32(&w, secrets[i].number);
		wr_copy(&w, secrets[i].b, sizeof(secrets[i].b));
	}
	checksum(sum, w.start, wr_len(&w));
	wr_copy(&w, sum, sizeof(sum));
	sodium_memzero(secrets, sizeof(secrets));
	return wr_ok(&w) && len && count ? wr_len(&w) : 0;
}

static bool backup_write(struct ns *s, char text[BACKUP_TEXT_MAX])
{
	uint8_t estate[ESTATE_MAX];
	char token[TOKEN_TEXT_MAX];
	struct token t;
	size_t len, at;
	bool good = root_fill_token(s, &t, TOKEN_CONTACTS_MAX);

	if (!good)
		return false;
	memcpy(t.seed, s->root_key->secret, SEED_LEN);
	len = estate_write(s, estate);
	good = len && token_write(token, sizeof(token), &t) > 0;
	if (good) {
		at = (size_t)snprintf(text, BACKUP_TEXT_MAX, "%s%s.", BACKUP_PREFIX,
				      token + strlen(TOKEN_PREFIX));
		sodium_bin2base64(text + at, BACKUP_TEXT_MAX - at, estate, len, VARIANT);
	}
	sodium_memzero(&t, sizeof(t));
	sodium_memzero(estate, sizeof(estate));
	sodium_memzero(token, sizeof(token));
	return good;
}

void node_root_backup(struct node *n, uint64_t op, const char *ns, usec_t now)
{
	struct ns *s = verb_ns(n, op, ns);
	char text[BACKUP_TEXT_MAX];

	node_enter(n, now);
	if (!s)
		return;
	if (!s->root_key) {
		node_notice(n, op, NODE_NO, "the root key of %s is not here but on the node that "
					    "created it", s->name);
		return;
	}
	if (!backup_write(s, text)) {
		node_notice(n, op, NODE_NO, "%s is not ready yet (`vpnctl wait`)", s->name);
		return;
	}
	n->env.notice(n->env.ctx,
		      &(struct node_notice){ .op = op, .result = NODE_OK, .text = text });
	sodium_memzero(text, sizeof(text));
}

/* --- restore --- */

struct backup {
	struct key_pair root;
	bool whole; /* all but the root key is there, too */
	struct token token;
	uint8_t bytes[ESTATE_MAX];
	struct regs_secret secrets[2];
	struct regs_estate estate; /* points into the two above */
};

static bool key_only(struct backup *b, const char *text)
{
	uint8_t seed[SEED_LEN];
	size_t len = 0;
	bool good = sodium_base642bin(seed, sizeof(seed), text, strlen(text), " \n", &len, NULL,
				      VARIANT) == 0 &&
		    len == SEED_LEN && key_from_seed(&b->root, seed);

	sodium_memzero(seed, sizeof(seed));
	return good;
}

static bool estate_read(struct backup *b, const char *text)
{
	struct rd settings, config, r;
	uint8_t sum[CHECKSUM_LEN];
	size_t len = 0;

	if (sodium_base642bin(b->bytes, sizeof(b->bytes), text, strlen(text), " \n", &len, NULL,
			      VARIANT) != 0 || len < CHECKSUM_LEN)
		return false;
	len -= CHECKSUM_LEN;
	checksum(sum, b->bytes, len);
	if (memcmp(sum, b->bytes + len, CHECKSUM_LEN) != 0)
		return false;
	r = rd_of(b->bytes, len);
	settings = rd_block(&r, SETTINGS_MAX);
	config = rd_block(&r, CONFIG_MAX);
	b->estate = (struct regs_estate){ settings.p, config.p, rd_left(&settings),
					  rd_left(&config), b->secrets, rd_u8(&r) };
	for (size_t i = 0; i < b->estate.secret_count && i < 2; i++) {
		b->secrets[i].number = rd_u32(&r);
		rd_copy(&r, b->secrets[i].b, sizeof(b->secrets[i].b));
	}
	return rd_done(&r) && b->estate.secret_count >= 1 && b->estate.secret_count <= 2;
}

/* NULL, or what is wrong with it. */
static const char *backup_read(struct backup *b, const char *text, const struct crypto *c)
{
	static const char no[] = "not a root backup: it is the one line that `vpnctl root backup` "
				 "printed";
	char token[TOKEN_TEXT_MAX + 1];
	const char *dot;
	int n;

	memset(b, 0, sizeof(*b));
	if (strncmp(text, KEY_PREFIX, strlen(KEY_PREFIX)) == 0)
		return key_only(b, text + strlen(KEY_PREFIX)) ? NULL : no;
	if (strncmp(text, BACKUP_PREFIX, strlen(BACKUP_PREFIX)) != 0)
		return no;
	text += strlen(BACKUP_PREFIX);
	dot = strchr(text, '.');
	if (!dot || dot - text > TOKEN_TEXT_MAX - 16)
		return "damaged: a part of the backup is missing";
	n = snprintf(token, sizeof(token), "%s%.*s", TOKEN_PREFIX, (int)(dot - text), text);
	assert(n > 0 && (size_t)n < sizeof(token));
	(void)n;
	b->whole = true;
	if (token_parse(&b->token, token, c) || !estate_read(b, dot + 1) ||
	    !key_from_seed(&b->root, b->token.seed) ||
	    !key_equal(&b->root.pub, &b->token.root))
		return "damaged: a character of the backup is wrong or missing";
	return NULL;
}

static void take_root(struct ns *s, uint64_t op, const struct key_pair *root)
{
	ns_take_root_key(s, root);
	state_save_ns(s);
	node_notice(s->n, op, NODE_OK, "this node now holds the root key of %s", s->name);
}

static void begin_era(struct ns *s, uint64_t op, usec_t now)
{
	int err = regs_reset_era(s->regs, s->root_key, s->host, now);

	if (err == -ERANGE)
		node_notice(s->n, op, NODE_NO, "the clock of this machine is behind what is known of %s: "
			    "set it first, the new era counts by it", s->name);
	else if (err)
		node_notice(s->n, op, NODE_NO, "%s is not ready for that; try again in a minute", s->name);
	else
		verb_wait(s, op, now + ERA_TIMEOUT);
	node_pump(s->n, now);
}

/* The same backup may have been used before: members, or the DHT, know of the era that began then. */
static void look_around(struct ns *s, usec_t now)
{
	struct token_contact all[NODE_CONTACTS_MAX];
	size_t count = overlay_contacts(s->o, all);

	ns_query(s, QUERY_KEEPERS, 0, NULL, NULL, now);
	for (size_t i = 0; i < count; i++)
		regs_look_for_era(s->regs, &all[i].key, now);
}

/* The era begins in ns_restore_chore; a namespace that is left before says so to who waits. */
static void look_first(struct ns *s, uint64_t op, usec_t now)
{
	s->restore_op = op;
	s->restore_at = now + ERA_LOOK;
	look_around(s, now);
	ns_wake(s, now + ERA_ASK);
}

/* The namespace as the backup knows it, on a machine that knows nothing. */
static void begin_again(struct node *n, uint64_t op, const struct backup *b, const char *host,
			usec_t now)
{
	struct overlay *o = verb_overlay(n, &b->token, now);
	struct ns *s = o ? ns_new(n, o, &b->root.pub) : NULL;

	if (!s) {
		node_notice(n, op, NODE_NO, "this node is in too many namespaces already");
		return;
	}
	memcpy(s->rendezvous, b->token.rendezvous, sizeof(s->rendezvous));
	ns_take_root_key(s, &b->root);
	snprintf(s->host, sizeof(s->host), "%s", host ? host : n->cfg.host);
	regs_started(s->regs, now);
	if (regs_adopt(s->regs, &b->estate, now) != 0) {
		ns_free(s, now);
		node_notice(n, op, NODE_NO, "damaged: the backup's settings or keepers are not signed");
		return;
	}
	snprintf(s->name, sizeof(s->name), "%s", regs_settings(s->regs)->name);
	state_save_ns(s);
	look_first(s, op, now);
}

usec_t ns_restore_chore(struct ns *s, usec_t now)
{
	if (now < s->restore_at) {
		look_around(s, now);
		return usec_min(s->restore_at, now + ERA_ASK);
	}
	s->restore_at = 0;
	begin_era(s, s->restore_op, now);
	return now;
}

void node_root_restore(struct node *n, uint64_t op, const struct node_root_restore *r, usec_t now)
{
	uint8_t nsid[NSID_LEN];
	struct backup b;
	const char *wrong = backup_read(&b, r->text, n->cfg.crypto);
	struct ns *s;

	node_enter(n, now);
	nsid_of(nsid, &b.root.pub);
	s = wrong ? NULL : ns_of_id(n, nsid, NULL);
	if (wrong)
		node_notice(n, op, NODE_NO, "%s", wrong);
	else if (s && r->new_era)
		node_notice(n, op, NODE_NO, "this node is in %s already: restore the key alone, then "
					    "`vpnctl keepers reset`", s->name);
	else if (s)
		take_root(s, op, &b.root);
	else if (!r->new_era || !b.whole)
		node_notice(n, op, NODE_NO, "this node is not in the namespace of that key; join it "
					    "first%s", b.whole ? ", or, if its keepers are gone for "
								 "good, begin again here with "
								 "--new-era" : "");
	else
		begin_again(n, op, &b, r->host, now);
	sodium_memzero(&b, sizeof(b));
}

void node_root_reset(struct node *n, uint64_t op, const char *ns, usec_t now)
{
	struct ns *s = verb_ns(n, op, ns);
	const uint8_t *grant;

	node_enter(n, now);
	if (!s)
		return;
	if (!s->root_key)
		node_notice(n, op, NODE_NO, "the root key of %s is not here (`vpnctl root restore`)",
			    s->name);
	else if (s->restore_at)
		node_notice(n, op, NODE_NO, "%s is being restored, which takes some seconds", s->name);
	else if (!regs_membership(s->regs, &grant)) /* its restoring was interrupted */
		look_first(s, op, now);
	else
		begin_era(s, op, now);
}

/* --- what was granted before --- */

/* A keeper that cannot reach a quorum: perhaps there is a new era. */
static usec_t look_for_era(struct ns *s, usec_t now)
{
	struct keeper_info k[KEEPERS_MAX];
	size_t count = regs_keeper_infos(s->regs, k, now), reachable = 0;

	if (count < 2)
		return USEC_NEVER;
	for (size_t i = 0; i < count; i++)
		reachable += k[i].reachable;
	if (reachable < regs_keepers(s->regs)->quorum)
		ns_query(s, QUERY_KEEPERS, 0, NULL, NULL, now);
	return now + LOOK_EVERY;
}

usec_t ns_era_chore(struct ns *s, usec_t now)
{
	const struct config *cf = regs_keepers(s->regs);
	struct lease_info li;
	usec_t next = look_for_era(s, now);
	struct grant g;
	size_t at = 0;

	while (cf && cf->era && s->leases && leases_next(s->leases, &at, &li, now)) {
		if (!li.grant_len || !grant_read(&g, li.grant, li.grant_len) ||
		    g.ballot.era >= cf->era)
			continue;
		next = usec_min(next, now + SHOW_EVERY);
		if (regs_show(s->regs, li.grant, li.grant_len, now))
			leases_renew(s->leases, &li.name, now);
	}
	return next;
}
