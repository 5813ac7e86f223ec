/* node_state.c - what a node keeps over a restart, as one durable map.
 *
 * Key: one byte of kind, the owner's id where there is one, then the owner's own key.
 *   S                      start counter, superseded by another copy
 *   O overlay id           overlay key, open
 *   C overlay id           contacts to come back by
 *   N nsid                 namespace: root, overlay, host name, interface, what the token told
 *   K nsid                 root key (only where the namespace was created or restored)
 *   R nsid key, L nsid key registers', leases' own
 * Values start with a version byte. Later kinds need earlier ones: whoever restores hands the pairs
 * over in the order of node_state_order. */
#include "cmd/node.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/node_internal.h"

#define STATE_VERSION 1
#define STATE_KEY_MAX (1 + NSID_LEN + 128)

static void book_free(struct persist_book *b)
{
	sodium_memzero(b->bytes, b->key_len + b->len);
	free(b);
}

static bool same_key(const struct persist_book *a, const struct persist_book *b)
{
	return a->key_len && a->key_len == b->key_len && memcmp(a->bytes, b->bytes, a->key_len) == 0;
}

/* What waits to be repeated under the same key is out of date. */
static void rewrite_forget(struct node *n, const struct persist_book *by)
{
	struct list *next;

	for (struct list *l = n->rewrites.next; l != &n->rewrites; l = next) {
		struct persist_book *b = container_of(l, struct persist_book, list);

		next = l->next;
		if (!same_key(b, by))
			continue;
		list_del(l);
		book_free(b);
	}
}

/* The bytes of the node's own writes are kept until they are on the disk. */
static struct persist_book *book_new(const struct persist_book *who, const uint8_t *key,
				     size_t key_len, const struct wr *value)
{
	bool own = who->module == MODULE_NODE;
	size_t len = own && value ? wr_len(value) : 0;
	struct persist_book *b = mem_new(sizeof(*b) + (own ? key_len + len : 0));

	*b = *who;
	list_init(&b->list);
	if (!own)
		return b;
	b->key_len = key_len;
	b->len = len;
	memcpy(b->bytes, key, key_len);
	if (len)
		memcpy(b->bytes + key_len, value->start, len);
	return b;
}

void state_written(struct node *n, struct persist_book *b, int result)
{
	const struct persist_book *other;
	size_t at = 0;

	if (result >= 0 && b->key_len && b->bytes[0] == 'S')
		n->start_saved = true;
	while (result < 0 && (other = map_next(&n->persists, &at)))
		if (other->op > b->op && same_key(other, b))
			result = 0; /* a newer one is under way */
	if (result < 0 && b->key_len) {
		list_add_tail(&n->rewrites, &b->list);
		node_wake(n, n->now);
	} else
		book_free(b);
}

/* Writes one pair and remembers whose answer it will be. */
static void put(struct node *n, const struct persist_book *who, const uint8_t *key, size_t key_len,
		struct wr *value)
{
	struct persist_book *b = book_new(who, key, key_len, value);

	b->op = node_op(n);
	rewrite_forget(n, b);
	if (map_put(&n->persists, b) != 0) {
		log_error(n->cfg.log, "too many durable writes outstanding; one is not tracked");
		book_free(b);
		return;
	}
	assert(!value || wr_ok(value));
	n->env.persist(n->env.ctx, b->op, key, key_len, value ? value->start : NULL,
		       value ? wr_len(value) : 0);
}

static void put_own(struct node *n, uint8_t kind, const void *id, size_t id_len, struct wr *value)
{
	uint8_t key[STATE_KEY_MAX];
	struct wr k = wr_of(key, sizeof(key));

	wr_u8(&k, kind);
	wr_copy(&k, id, id_len);
	put(n, &(struct persist_book){ .module = MODULE_NODE }, key, wr_len(&k), value);
}

void state_write(struct node *n, enum module m, uint16_t owner, uint64_t module_op,
		 const uint8_t *key, size_t key_len, const uint8_t *value, size_t len)
{
	uint8_t buf[STATE_KEY_MAX];
	struct wr k = wr_of(buf, sizeof(buf));
	struct wr v = { .start = (uint8_t *)value, .p = (uint8_t *)value };

	wr_u8(&k, m == MODULE_REGS ? 'R' : 'L');
	wr_copy(&k, n->ns[owner]->nsid, NSID_LEN);
	wr_copy(&k, key, key_len);
	assert(wr_ok(&k));
	if (len)
		v.p += len;
	put(n, &(struct persist_book){ .module = m, .owner = owner, .module_op = module_op }, buf,
	    wr_len(&k), len ? &v : NULL);
}

void state_write_again(struct node *n)
{
	struct list *l, again;

	list_init(&again);
	while ((l = list_take(&n->rewrites)))
		list_add_tail(&again, l);
	while ((l = list_take(&again))) {
		struct persist_book *b = container_of(l, struct persist_book, list);
		struct wr v = { .start = b->bytes + b->key_len,
				.p = b->bytes + b->key_len + b->len };

		put(n, &(struct persist_book){ .module = MODULE_NODE }, b->bytes, b->key_len,
		    b->len ? &v : NULL);
		book_free(b);
	}
}

void state_fini(struct node *n)
{
	struct persist_book *b;
	struct list *l;
	size_t at = 0;

	while ((b = map_next(&n->persists, &at))) {
		map_take_at(&n->persists, &at);
		book_free(b);
	}
	while ((l = list_take(&n->rewrites)))
		book_free(container_of(l, struct persist_book, list));
	map_fini(&n->persists);
}

void state_save_start(struct node *n)
{
	uint8_t b[8];
	struct wr w = wr_of(b, sizeof(b));

	wr_u8(&w, STATE_VERSION);
	wr_u32(&w, n->start_counter);
	wr_u8(&w, n->superseded);
	put_own(n, 'S', NULL, 0, &w);
}

void state_save_overlay(struct overlay *o)
{
	uint8_t b[64];
	struct wr w = wr_of(b, sizeof(b));

	wr_u8(&w, STATE_VERSION);
	wr_copy(&w, o->key, sizeof(o->key));
	wr_u8(&w, o->open);
	put_own(o->n, 'O', o->id, sizeof(o->id), &w);
}

void state_save_contacts(struct overlay *o)
{
	uint8_t b[1024];
	struct wr w = wr_of(b, sizeof(b));
	struct token_contact all[NODE_CONTACTS_MAX];

	if (!o->contacts_dirty)
		return;
	o->contacts_dirty = false;
	wr_u8(&w, STATE_VERSION);
	wr_u8(&w, (uint8_t)overlay_contacts(o, all));
	wr_copy(&w, o->contacts, o->contacts_len);
	put_own(o->n, 'C', o->id, sizeof(o->id), &w);
}

void state_save_ns(struct ns *s)
{
	uint8_t b[512];
	struct wr w = wr_of(b, sizeof(b));

	wr_u8(&w, STATE_VERSION);
	wr_copy(&w, s->root.b, KEY_LEN);
	wr_copy(&w, s->o->id, sizeof(s->o->id));
	wr_copy(&w, s->rendezvous, sizeof(s->rendezvous));
	wr_block(&w, s->host, strlen(s->host));
	wr_block(&w, s->ifname, strlen(s->ifname));
	wr_u8(&w, s->enrolling);
	wr_copy(&w, s->token_seed, SEED_LEN);
	wr_u32(&w, s->checkpoint.era);
	wr_u32(&w, s->checkpoint.epoch);
	wr_copy(&w, s->checkpoint.hash, sizeof(s->checkpoint.hash));
	wr_u8(&w, s->has_ask);
	if (s->has_ask)
		wr_ip(&w, &s->ask);
	put_own(s->n, 'N', s->nsid, NSID_LEN, &w);
	if (s->root_key) {
		struct wr k = wr_of(b, sizeof(b));

		wr_u8(&k, STATE_VERSION);
		wr_copy(&k, s->root_key->secret, SEED_LEN);
		put_own(s->n, 'K', s->nsid, NSID_LEN, &k);
	}
	sodium_memzero(b, sizeof(b));
}

void state_erase_overlay(struct overlay *o)
{
	put_own(o->n, 'C', o->id, sizeof(o->id), NULL);
	put_own(o->n, 'O', o->id, sizeof(o->id), NULL);
}

/* Answers that are still to come for it must not reach a namespace that gets its number later. */
void state_forget_ns(struct ns *s)
{
	struct persist_book *b;
	size_t at = 0;

	while ((b = map_next(&s->n->persists, &at)))
		if (b->owner == s->number)
			b->module = MODULE_NODE;
}

void state_erase_ns(struct ns *s)
{
	put_own(s->n, 'K', s->nsid, NSID_LEN, NULL);
	put_own(s->n, 'N', s->nsid, NSID_LEN, NULL);
}

static void rd_text(struct rd *r, char *out, size_t size)
{
	struct rd b = rd_block(r, size - 1);
	size_t n = rd_left(&b);

	memset(out, 0, size);
	rd_copy(&b, out, n);
}

static bool restore_start(struct node *n, struct rd *id, struct rd *v)
{
	n->start_counter = rd_u32(v);
	n->superseded = rd_u8(v);
	return rd_done(id) && rd_done(v);
}

static bool restore_overlay(struct node *n, struct rd *id, struct rd *v)
{
	uint8_t key[32];
	bool open;

	rd_copy(v, key, sizeof(key));
	open = rd_u8(v);
	if (!rd_done(v))
		return false;
	if (!overlay_find(n, rd_bytes(id, 16)))
		return overlay_new(n, key, open) != NULL;
	return true;
}

static bool restore_contacts(struct node *n, struct rd *id, struct rd *v)
{
	const uint8_t *oid = rd_bytes(id, 16);
	struct overlay *o = oid ? overlay_find(n, oid) : NULL;
	size_t left;

	rd_u8(v); /* their number, which the bytes say as well */
	left = rd_left(v);
	return rd_ok(v) && (!o || overlay_keep_contacts(o, rd_bytes(v, left), left));
}

static bool restore_ns(struct node *n, struct rd *id, struct rd *v)
{
	struct pubkey root;
	struct overlay *o;
	struct ns *s;
	const uint8_t *oid;

	rd_copy(v, root.b, KEY_LEN);
	oid = rd_bytes(v, 16);
	o = oid ? overlay_find(n, oid) : NULL;
	if (!o)
		return false;
	s = ns_new(n, o, &root);
	if (!s || memcmp(s->nsid, rd_bytes(id, NSID_LEN), NSID_LEN) != 0)
		return false;
	rd_copy(v, s->rendezvous, sizeof(s->rendezvous));
	rd_text(v, s->host, sizeof(s->host));
	rd_text(v, s->ifname, sizeof(s->ifname));
	s->enrolling = rd_u8(v);
	rd_copy(v, s->token_seed, SEED_LEN);
	s->checkpoint.era = rd_u32(v);
	s->checkpoint.epoch = rd_u32(v);
	rd_copy(v, s->checkpoint.hash, sizeof(s->checkpoint.hash));
	s->has_ask = rd_u8(v);
	if (s->has_ask)
		s->ask = rd_ip(v);
	return rd_done(v);
}

static struct ns *restored_ns(struct node *n, struct rd *id)
{
	const uint8_t *nsid = rd_bytes(id, NSID_LEN);

	return nsid ? ns_of_id(n, nsid, NULL) : NULL;
}

static bool restore_root_key(struct node *n, struct rd *id, struct rd *v)
{
	struct ns *s = restored_ns(n, id);
	const uint8_t *seed = rd_bytes(v, SEED_LEN);

	struct key_pair root;
	bool good = s && seed && rd_done(v) && key_from_seed(&root, seed) &&
		    key_equal(&root.pub, &s->root);

	if (good)
		ns_take_root_key(s, &root);
	sodium_memzero(&root, sizeof(root));
	return good;
}

static const struct {
	uint8_t kind;
	bool (*restore)(struct node *n, struct rd *id, struct rd *v);
} kinds[] = {
	{ 'S', restore_start }, { 'O', restore_overlay },  { 'C', restore_contacts },
	{ 'N', restore_ns },	{ 'K', restore_root_key },
};

const char node_state_order[] = "SOCNKRL";

/* Pairs of a namespace that is gone: deleted once writing is possible. */
static void keep_leftover(struct node *n, const uint8_t *key, size_t key_len)
{
	struct outgoing *m = mem_new(sizeof(*m) + key_len);

	m->len = key_len;
	memcpy(m->msg, key, key_len);
	list_add_tail(&n->leftovers, &m->list);
}

void state_erase_leftovers(struct node *n)
{
	struct list *l;

	/* What is too much for now is left over again at the next start. */
	while (n->persists.count < NODE_PERSISTS_MAX / 2 && (l = list_take(&n->leftovers))) {
		struct outgoing *m = container_of(l, struct outgoing, list);

		put(n, &(struct persist_book){ .module = MODULE_NODE }, m->msg, m->len, NULL);
		free(m);
	}
}

bool node_restore(struct node *n, const uint8_t *key, size_t key_len, const uint8_t *value,
		  size_t len)
{
	struct rd k = rd_of(key, key_len), v = rd_of(value, len);
	uint8_t kind = rd_u8(&k);
	struct ns *s;

	if (kind == 'R' || kind == 'L') {
		s = restored_ns(n, &k);
		if (!s) {
			keep_leftover(n, key, key_len);
			return true;
		}
		if (kind == 'R')
			return regs_restore(s->regs, k.p, rd_left(&k), value, len);
		ns_make_leases(s, 0);
		return !s->leases || leases_restore(s->leases, k.p, rd_left(&k), value, len, 0);
	}
	if (rd_u8(&v) != STATE_VERSION)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].kind == kind)
			return kinds[i].restore(n, &k, &v);
	return false;
}
