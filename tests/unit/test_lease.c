/* test_lease.c - leases against a table of owners that stands for the keepers. */
#include "dht/lease.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tests/check.h"

#define ASKED_MAX 64
#define EVENTS_MAX 256
#define DISK_MAX 64
#define OWNED_MAX 512

struct asked {
	uint64_t op;
	struct reg_op req;
	uint8_t payload[REG_PAYLOAD_OWNED_MAX];
};

struct stored {
	uint8_t key[80], value[GRANT_MAX + 64];
	size_t key_len, len;
	uint64_t op;
};

struct owned {
	struct reg_name name;
	struct pubkey owner;
	uint64_t generation;
	bool released;
};

struct world {
	struct leases *l;
	struct lease_config cfg;
	struct wall wall;
	struct pubkey other;
	usec_t now;
	uint32_t dice;
	bool disk_broken, disk_silent, submit_full;
	struct asked asked[ASKED_MAX];
	size_t asked_count;
	struct stored writes[DISK_MAX]; /* not answered yet */
	size_t write_count;
	struct stored disk[DISK_MAX];
	size_t disk_count;
	struct owned owned[OWNED_MAX];
	size_t owned_count;
	struct lease_event events[EVENTS_MAX];
	size_t event_count;
	uint64_t number;
	uint32_t granted; /* seconds, 0 = what was asked for */
};

static void env_random(void *ctx, void *out, size_t len)
{
	struct world *w = ctx;

	for (size_t i = 0; i < len; i++) {
		w->dice = w->dice * 1664525u + 1013904223u;
		((uint8_t *)out)[i] = (uint8_t)(w->dice >> 24);
	}
}

static int env_submit(void *ctx, uint64_t op, const struct reg_op *req, usec_t now)
{
	struct world *w = ctx;
	struct asked *a = &w->asked[w->asked_count];

	(void)now;
	if (w->submit_full || w->asked_count == ASKED_MAX)
		return -EBUSY;
	w->asked_count++;
	a->op = op;
	a->req = *req;
	if (req->payload_len)
		memcpy(a->payload, req->payload, req->payload_len);
	return 0;
}

static void env_persist(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			const uint8_t *value, size_t len)
{
	struct world *w = ctx;
	struct stored *s = &w->writes[w->write_count];

	if (w->write_count == DISK_MAX)
		return;
	w->write_count++;
	s->op = op;
	s->key_len = key_len;
	s->len = len;
	memcpy(s->key, key, key_len);
	if (len)
		memcpy(s->value, value, len);
}

static void env_event(void *ctx, const struct lease_event *e)
{
	struct world *w = ctx;

	if (w->event_count < EVENTS_MAX)
		w->events[w->event_count++] = *e;
}

static struct stored *on_disk(struct world *w, const struct stored *like)
{
	for (size_t i = 0; i < w->disk_count; i++)
		if (w->disk[i].key_len == like->key_len &&
		    memcmp(w->disk[i].key, like->key, like->key_len) == 0)
			return &w->disk[i];
	return NULL;
}

static void to_disk(struct world *w, const struct stored *s)
{
	struct stored *at = on_disk(w, s);

	if (!at && s->len && w->disk_count < DISK_MAX)
		at = &w->disk[w->disk_count++];
	if (at && s->len)
		*at = *s;
	else if (at)
		*at = w->disk[--w->disk_count];
}

/* Answers what was written so far. */
static void disk_answers(struct world *w)
{
	struct stored batch[DISK_MAX];
	size_t n = w->write_count;

	memcpy(batch, w->writes, n * sizeof(batch[0]));
	w->write_count = 0;
	for (size_t i = 0; i < n; i++) {
		if (!w->disk_broken)
			to_disk(w, &batch[i]);
		if (!w->disk_silent)
			leases_persisted(w->l, batch[i].op, w->disk_broken ? -EIO : 0, w->now);
	}
}

static struct owned *owner_of(struct world *w, const struct reg_name *name)
{
	for (size_t i = 0; i < w->owned_count; i++)
		if (reg_name_equal(&w->owned[i].name, name))
			return &w->owned[i];
	return NULL;
}

static struct owned *own(struct world *w, const struct reg_name *name, const struct pubkey *who)
{
	struct owned *o = owner_of(w, name);

	if (!o && w->owned_count < OWNED_MAX)
		o = &w->owned[w->owned_count++];
	o->name = *name;
	o->owner = *who;
	o->generation++;
	o->released = false;
	return o;
}

static size_t make_grant(struct world *w, uint8_t *out, const struct asked *a,
			 const struct owned *o)
{
	uint8_t sig[1][SIG_LEN] = { { 1 } };
	struct grant g = { .name = o->name, .state = o->released ? REG_RELEASED : REG_HELD,
			   .generation = o->generation, .owner = o->owner,
			   .number = ++w->number, .beacon = wall_seconds(&w->wall, w->now) };

	memcpy(g.nsid, w->cfg.nsid, NSID_LEN);
	g.lease = w->granted ? w->granted : a->req.lease;
	if (!o->released) {
		g.payload = a->payload;
		g.payload_len = a->req.payload_len;
	}
	return grant_write(out, GRANT_MAX, &g, 1, sig);
}

static void answer(struct world *w, const struct asked *a)
{
	uint8_t grant[GRANT_MAX];
	struct owned *o = owner_of(w, &a->req.name);
	size_t len;

	if (o && !o->released && !key_equal(&o->owner, &w->cfg.self)) {
		leases_result(w->l, a->op, REG_OWNED, &o->owner, NULL, 0, w->now);
		return;
	}
	if (a->req.verb != OP_CLAIM && (!o || o->released)) {
		leases_result(w->l, a->op, REG_UNKNOWN, &w->other, NULL, 0, w->now);
		return;
	}
	if (a->req.verb == OP_CLAIM && (!o || o->released))
		o = own(w, &a->req.name, &w->cfg.self);
	o->released = a->req.verb == OP_RELEASE;
	len = make_grant(w, grant, a, o);
	leases_result(w->l, a->op, REG_OK, &o->owner, grant, len, w->now);
}

static void keepers_say(struct world *w, enum reg_status status)
{
	struct asked batch[ASKED_MAX];
	size_t n = w->asked_count;

	memcpy(batch, w->asked, n * sizeof(batch[0]));
	w->asked_count = 0;
	for (size_t i = 0; i < n; i++)
		if (status == REG_OK)
			answer(w, &batch[i]);
		else
			leases_result(w->l, batch[i].op, status, &w->other, NULL, 0, w->now);
}

/* Lets everything happen for `t`, keepers answering with `status`. */
static void run(struct world *w, usec_t t, enum reg_status status)
{
	usec_t end = w->now + t;

	for (int i = 0; i < 20000; i++) {
		leases_tick(w->l, w->now);
		disk_answers(w);
		keepers_say(w, status);
		if (w->write_count || w->asked_count || leases_deadline(w->l) <= w->now)
			continue;
		if (leases_deadline(w->l) > end)
			break;
		w->now = leases_deadline(w->l);
	}
	w->now = end;
}

static void begin(struct world *w)
{
	struct lease_env env = { .ctx = w, .random = env_random, .submit = env_submit,
				 .persist = env_persist, .event = env_event };

	w->l = leases_new(&w->cfg, &env, w->now);
	for (size_t i = 0; i < w->disk_count; i++)
		CHECK(leases_restore(w->l, w->disk[i].key, w->disk[i].key_len, w->disk[i].value,
				     w->disk[i].len, w->now));
	leases_started(w->l, w->now);
}

static struct world *world_new(const char *subnet)
{
	struct world *w = mem_new(sizeof(*w));

	w->now = SEC(1000);
	w->wall = (struct wall){ 1800000000, 0 };
	w->other.b[0] = 9;
	w->cfg = (struct lease_config){ .self = { { 7 } }, .lease = 86400, .wall = &w->wall,
					.same_machine = true };
	prefix_parse(&w->cfg.subnet, subnet);
	begin(w);
	return w;
}

static void world_free(struct world *w)
{
	leases_free(w->l);
	free(w);
}

/* The process dies: what it asked and wrote without an answer is gone (or not: `flushed`). */
static void restart(struct world *w, bool flushed, bool same_machine)
{
	for (size_t i = 0; i < w->write_count && flushed; i++)
		to_disk(w, &w->writes[i]);
	w->write_count = w->asked_count = w->event_count = 0;
	leases_free(w->l);
	w->cfg.same_machine = same_machine;
	begin(w);
}

static size_t events_of(const struct world *w, enum lease_event_type type)
{
	size_t n = 0;

	for (size_t i = 0; i < w->event_count; i++)
		n += w->events[i].type == type;
	return n;
}

static const struct lease_event *last_event(const struct world *w, enum lease_event_type type)
{
	for (size_t i = w->event_count; i > 0; i--)
		if (w->events[i - 1].type == type)
			return &w->events[i - 1];
	return NULL;
}

static bool info_of(const struct world *w, enum reg_kind kind, struct lease_info *out)
{
	size_t at = 0;

	while (leases_next(w->l, &at, out, w->now))
		if (out->name.kind == kind)
			return true;
	return false;
}

static struct reg_name address(const char *text)
{
	struct ip ip;

	ip_parse(&ip, text);
	return reg_name_address(&ip);
}

static bool has_name(const struct lease_event *e, const struct reg_name *name)
{
	return e && reg_name_equal(&e->name, name);
}

static void test_lease_address_and_name_are_claimed_and_tell_each_other(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a, n;
	struct owned_payload p;
	struct grant g;
	struct ip v6 = { .len = 16, .b = { 0xfd, 1 } };

	leases_set_v6(w->l, &v6, w->now);
	leases_want_name(w->l, "Ada.example.org", w->now);
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(5), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD);
	CHECK(info_of(w, REG_HOST_NAME, &n) && n.state == LEASE_HELD);
	CHECK(n.name.len == 3 && memcmp(n.name.b, "ada", 3) == 0);
	CHECK(grant_read(&g, n.grant, n.grant_len) &&
	      owned_payload_read(&p, g.payload, g.payload_len));
	CHECK(p.v4.len == 4 && memcmp(p.v4.b, a.name.b, 4) == 0 && ip_equal(&p.v6, &v6));
	CHECK(grant_read(&g, a.grant, a.grant_len) &&
	      owned_payload_read(&p, g.payload, g.payload_len));
	CHECK(strcmp(p.host, "ada") == 0);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 2);
	CHECK_EQ_INT(events_of(w, LEASE_FAILED), 0);
	world_free(w);
}

static void test_lease_same_key_asks_for_the_same_address_again(void)
{
	struct world *w = world_new("10.1.0.0/16"), *v = world_new("10.1.0.0/16");
	struct lease_info a, b;

	v->dice = 4711;
	leases_want_address(w->l, NULL, w->now);
	leases_want_address(v->l, NULL, v->now);
	run(w, SEC(2), REG_OK);
	run(v, SEC(2), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a) && info_of(v, REG_ADDRESS, &b));
	CHECK(reg_name_equal(&a.name, &b.name));
	world_free(w);
	world_free(v);
}

static void test_lease_taken_address_is_refused_by_name_and_another_is_found(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct reg_name asked = address("10.1.2.3");
	struct lease_info a;
	struct ip ip;

	ip_parse(&ip, "10.1.2.3");
	own(w, &asked, &w->other);
	leases_want_address(w->l, &ip, w->now);
	run(w, SEC(5), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_REFUSED), 1);
	CHECK(has_name(last_event(w, LEASE_REFUSED), &asked));
	CHECK(key_equal(&last_event(w, LEASE_REFUSED)->holder, &w->other));
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD);
	CHECK(!reg_name_equal(&a.name, &asked));
	world_free(w);
}

static void test_lease_address_held_stays_when_the_asked_one_is_taken(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct reg_name asked = address("10.1.2.3");
	struct lease_info before, after;
	struct ip ip;

	ip_parse(&ip, "10.1.2.3");
	own(w, &asked, &w->other);
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(5), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &before));
	leases_want_address(w->l, &ip, w->now);
	run(w, SEC(60), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &after) && after.state == LEASE_HELD);
	CHECK(reg_name_equal(&before.name, &after.name));
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 0);
	world_free(w);
}

static void test_lease_asked_address_replaces_the_held_one_once_gained(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct reg_name asked = address("10.1.2.3");
	struct lease_info before, after;
	struct ip ip;

	ip_parse(&ip, "10.1.2.3");
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(5), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &before));
	leases_want_address(w->l, &ip, w->now);
	run(w, SEC(5), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &after) && reg_name_equal(&after.name, &asked));
	CHECK(has_name(last_event(w, LEASE_GONE), &before.name));
	CHECK(owner_of(w, &before.name)->released);
	world_free(w);
}

static void test_lease_network_dns_and_broadcast_addresses_are_never_taken(void)
{
	struct world *w = world_new("10.1.0.0/29");
	static const char *const never[] = { "10.1.0.0", "10.1.0.1", "10.1.0.7", "10.2.0.3" };
	struct ip ip;

	for (size_t i = 0; i < ARRAY_LEN(never); i++) {
		ip_parse(&ip, never[i]);
		leases_want_address(w->l, &ip, w->now);
		run(w, SEC(2), REG_OK);
		CHECK_EQ_INT(events_of(w, LEASE_REFUSED), i + 1);
		CHECK(!owner_of(w, &last_event(w, LEASE_REFUSED)->name));
	}
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 1);
	world_free(w);
}

static void test_lease_last_free_address_of_a_small_subnet_is_found(void)
{
	struct world *w = world_new("10.1.0.0/28"); /* 13 usable */
	struct reg_name free_one = address("10.1.0.9");
	char text[IP_TEXT_LEN];
	struct lease_info a;

	for (int i = 2; i < 15; i++) {
		struct reg_name n;

		snprintf(text, sizeof(text), "10.1.0.%d", i);
		n = address(text);
		if (i != 9)
			own(w, &n, &w->other);
	}
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(20), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a) && reg_name_equal(&a.name, &free_one));
	world_free(w);
}

static void test_lease_full_subnet_fails_and_is_tried_again_later(void)
{
	struct world *w = world_new("10.1.0.0/29");
	char text[IP_TEXT_LEN];
	struct lease_info a;

	for (int i = 2; i < 7; i++) {
		struct reg_name n;

		snprintf(text, sizeof(text), "10.1.0.%d", i);
		n = address(text);
		own(w, &n, &w->other);
	}
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(20), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_FAILED), 1);
	CHECK_EQ_INT(last_event(w, LEASE_FAILED)->status, REG_FULL);
	CHECK_EQ_INT(events_of(w, LEASE_REFUSED), 64);
	w->owned[2].released = true;
	run(w, SEC(40), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD);
	world_free(w);
}

static void test_lease_taken_name_gets_a_number(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct reg_name n;
	struct lease_info a;

	reg_name_host(&n, "ada");
	own(w, &n, &w->other);
	reg_name_host(&n, "ada-2");
	own(w, &n, &w->other);
	leases_want_name(w->l, "ada", w->now);
	run(w, SEC(5), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_REFUSED), 2);
	CHECK(info_of(w, REG_HOST_NAME, &a) && a.name.len == 5 &&
	      memcmp(a.name.b, "ada-3", 5) == 0);
	world_free(w);
}

static void test_lease_all_nine_names_taken_fails(void)
{
	struct world *w = world_new("10.1.0.0/16");
	char text[16] = "ada";

	for (int i = 1; i <= 9; i++) {
		struct reg_name n;

		if (i > 1)
			snprintf(text, sizeof(text), "ada-%d", i);
		reg_name_host(&n, text);
		own(w, &n, &w->other);
	}
	leases_want_name(w->l, "ada", w->now);
	run(w, SEC(5), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_REFUSED), 9);
	CHECK_EQ_INT(events_of(w, LEASE_FAILED), 1);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
	world_free(w);
}

static void test_lease_strange_host_names_are_made_usable(void)
{
	static const struct {
		const char *host, *name;
	} cases[] = { { "My_Host", "my-host" }, { "--x--", "x" }, { "", "host" }, { "é", "host" },
		      { "a..b", "a" } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = world_new("10.1.0.0/16");
		struct lease_info a;

		leases_want_name(w->l, cases[i].host, w->now);
		run(w, SEC(5), REG_OK);
		CHECK(info_of(w, REG_HOST_NAME, &a) && a.name.len == strlen(cases[i].name) &&
		      memcmp(a.name.b, cases[i].name, a.name.len) == 0);
		world_free(w);
	}
}

static void test_lease_is_renewed_from_half_life(void)
{
	struct world *w = world_new("10.1.0.0/16");

	leases_want_address(w->l, NULL, w->now);
	run(w, HOURS(9), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_RENEWED), 0);
	run(w, HOURS(6), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_RENEWED), 1);
	run(w, DAYS(10), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 0);
	CHECK(events_of(w, LEASE_RENEWED) >= 16 && events_of(w, LEASE_RENEWED) <= 26);
	world_free(w);
}

static void test_lease_ends_when_keepers_stay_away_and_comes_back_after(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;
	usec_t sent;

	leases_want_address(w->l, NULL, w->now);
	sent = w->now;
	run(w, SEC(1), REG_OK);
	w->now = sent;
	run(w, HOURS(20), REG_NO_QUORUM);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_AT_RISK && a.left <= HOURS(4));
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 0);
	run(w, HOURS(4) - SEC(1), REG_NO_QUORUM);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 0);
	run(w, SEC(2), REG_NO_QUORUM);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 1);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.left == 0);
	run(w, MINUTES(2), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 2);
	world_free(w);
}

static void test_lease_counts_from_first_sending_not_from_the_answer(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;

	leases_want_address(w->l, NULL, w->now);
	leases_tick(w->l, w->now);
	disk_answers(w);
	CHECK_EQ_INT(w->asked_count, 1);
	w->now += SEC(4);
	keepers_say(w, REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a));
	CHECK_EQ_INT(a.left, HOURS(24) - SEC(4));
	world_free(w);
}

static void test_lease_is_never_longer_than_granted(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;

	w->granted = 3600;
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(1), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.left <= HOURS(1));
	w->granted = 10 * 86400;
	run(w, HOURS(1), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.left <= HOURS(24));
	world_free(w);
}

static void test_lease_nothing_is_asked_before_the_intent_is_durable(void)
{
	struct world *w = world_new("10.1.0.0/16");

	w->disk_broken = true;
	leases_want_address(w->l, NULL, w->now);
	for (int i = 0; i < 5; i++) {
		leases_tick(w->l, w->now);
		disk_answers(w);
		w->now += SEC(11);
	}
	CHECK_EQ_INT(w->asked_count, 0);
	w->disk_broken = false;
	run(w, SEC(30), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 1);
	world_free(w);
}

static void test_lease_lost_disk_answer_is_made_up_for(void)
{
	struct world *w = world_new("10.1.0.0/16");

	w->disk_silent = true;
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(5), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
	w->disk_silent = false;
	run(w, SEC(30), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 1);
	world_free(w);
}

static void test_lease_late_answer_of_an_earlier_request_changes_nothing(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct asked old;
	struct lease_info a;

	leases_want_address(w->l, NULL, w->now);
	leases_tick(w->l, w->now);
	disk_answers(w);
	CHECK_EQ_INT(w->asked_count, 1);
	old = w->asked[0];
	w->asked_count = 0;
	leases_release_all(w->l, w->now);
	answer(w, &old);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
	run(w, SEC(5), REG_OK);
	CHECK(!info_of(w, REG_ADDRESS, &a));
	CHECK(owner_of(w, &old.req.name)->released);
	world_free(w);
}

static void test_lease_release_ends_use_before_anything_is_sent(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;

	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(1), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a));
	leases_release(w->l, &a.name, w->now);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 1);
	CHECK_EQ_INT(w->asked_count, 0);
	run(w, SEC(5), REG_OK);
	CHECK(!info_of(w, REG_ADDRESS, &a) && w->disk_count == 0);
	run(w, DAYS(3), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 1);
	world_free(w);
}

static void test_lease_release_goes_on_after_a_crash(void)
{
	for (int at = 0; at < 2; at++) {
		struct world *w = world_new("10.1.0.0/16");
		struct lease_info a;
		struct reg_name name;

		leases_want_address(w->l, NULL, w->now);
		run(w, SEC(1), REG_OK);
		CHECK(info_of(w, REG_ADDRESS, &a));
		name = a.name;
		leases_release(w->l, &name, w->now);
		if (at == 1)
			disk_answers(w); /* and the request was sent */
		restart(w, true, true);
		CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
		run(w, SEC(5), REG_OK);
		CHECK(owner_of(w, &name)->released && w->disk_count == 0);
		CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
		world_free(w);
	}
}

static void test_lease_runs_on_after_a_restart_of_the_process(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;

	leases_want_address(w->l, NULL, w->now);
	leases_want_name(w->l, "ada", w->now);
	run(w, HOURS(1), REG_OK);
	restart(w, false, true);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 2);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD);
	CHECK(a.left <= HOURS(23) + MINUTES(1));
	leases_want_address(w->l, NULL, w->now);
	leases_want_name(w->l, "ada", w->now);
	run(w, SEC(30), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 2);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 0);
	world_free(w);
}

static void test_lease_that_ended_while_the_process_was_away_is_not_used(void)
{
	struct world *w = world_new("10.1.0.0/16");

	leases_want_address(w->l, NULL, w->now);
	run(w, HOURS(1), REG_OK);
	w->now += HOURS(24);
	restart(w, false, true);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
	run(w, SEC(10), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 1);
	world_free(w);
}

static void test_lease_after_a_reboot_is_used_only_after_a_renewal(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;

	leases_want_address(w->l, NULL, w->now);
	run(w, HOURS(1), REG_OK);
	w->now = SEC(20); /* BOOTTIME starts anew */
	restart(w, false, false);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_RENEW_FIRST && a.left == 0);
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(60), REG_NO_QUORUM);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
	run(w, SEC(60), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 1);
	world_free(w);
}

static void test_lease_given_to_another_while_away_is_refused_and_replaced(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;
	struct reg_name name;

	leases_want_address(w->l, NULL, w->now);
	run(w, HOURS(1), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a));
	name = a.name;
	own(w, &name, &w->other);
	restart(w, false, false);
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(60), REG_OK);
	CHECK(has_name(last_event(w, LEASE_REFUSED), &name));
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD &&
	      !reg_name_equal(&a.name, &name));
	world_free(w);
}

static void test_lease_taken_away_while_held_is_gone_at_once(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;
	struct reg_name name;

	leases_want_address(w->l, NULL, w->now);
	run(w, HOURS(1), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a));
	name = a.name;
	own(w, &name, &w->other);
	run(w, HOURS(15), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 1);
	CHECK(has_name(last_event(w, LEASE_GONE), &name));
	CHECK(key_equal(&last_event(w, LEASE_GONE)->holder, &w->other));
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD);
	world_free(w);
}

static void test_lease_of_a_revoked_member_stops(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;

	leases_want_address(w->l, NULL, w->now);
	run(w, HOURS(1), REG_OK);
	run(w, HOURS(15), REG_REVOKED);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 1);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_LOST);
	w->asked_count = 0;
	run(w, DAYS(2), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 1);
	world_free(w);
}

static void test_lease_crash_at_every_write_never_uses_without_ownership(void)
{
	for (int steps = 0; steps < 12; steps++)
		for (int flushed = 0; flushed < 2; flushed++) {
			struct world *w = world_new("10.1.0.0/24");
			struct lease_info a;

			leases_want_address(w->l, NULL, w->now);
			leases_want_name(w->l, "ada", w->now);
			for (int i = 0; i < steps; i++) {
				w->now += MSEC(150);
				leases_tick(w->l, w->now);
				disk_answers(w);
				keepers_say(w, REG_OK);
			}
			restart(w, flushed, true);
			for (size_t i = 0; i < w->event_count; i++)
				if (w->events[i].type == LEASE_GAINED)
					CHECK(owner_of(w, &w->events[i].name));
			leases_want_address(w->l, NULL, w->now);
			leases_want_name(w->l, "ada", w->now);
			run(w, SEC(40), REG_OK);
			CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD);
			CHECK(info_of(w, REG_HOST_NAME, &a) && a.state == LEASE_HELD);
			CHECK_EQ_INT(w->owned_count, 2);
			world_free(w);
		}
}

static void test_lease_damaged_records_are_refused(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct stored s;
	struct leases *l;
	struct lease_env env = { .ctx = w, .random = env_random, .submit = env_submit,
				 .persist = env_persist, .event = env_event };

	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(1), REG_OK);
	CHECK_EQ_INT(w->disk_count, 1);
	s = w->disk[0];
	l = leases_new(&w->cfg, &env, w->now);
	for (size_t n = 0; n < s.len; n++)
		CHECK(!leases_restore(l, s.key, s.key_len, s.value, n, w->now));
	CHECK(!leases_restore(l, s.key, s.key_len - 1, s.value, s.len, w->now));
	CHECK(!leases_restore(l, (const uint8_t *)"c", 1, s.value, s.len, w->now));
	s.value[0]++;
	CHECK(!leases_restore(l, s.key, s.key_len, s.value, s.len, w->now));
	s.value[0]--;
	CHECK(leases_restore(l, s.key, s.key_len, s.value, s.len, w->now));
	CHECK(!leases_restore(l, s.key, s.key_len, s.value, s.len, w->now)); /* twice */
	leases_free(l);
	world_free(w);
}

static void test_lease_grant_for_another_is_not_believed(void)
{
	struct world *w = world_new("10.1.0.0/16");
	uint8_t grant[GRANT_MAX];
	struct owned o = { .owner = w->other, .generation = 1 };
	struct asked a;
	size_t len;

	leases_want_address(w->l, NULL, w->now);
	leases_tick(w->l, w->now);
	disk_answers(w);
	CHECK_EQ_INT(w->asked_count, 1);
	a = w->asked[0];
	o.name = a.req.name;
	len = make_grant(w, grant, &a, &o);
	leases_result(w->l, a.op, REG_OK, &w->other, grant, len, w->now);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
	leases_result(w->l, a.op, REG_OK, &w->cfg.self, NULL, 0, w->now);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
	world_free(w);
}

static void test_lease_changed_v6_is_told_at_once(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct ip v6 = { .len = 16, .b = { 0xfd, 2 } };
	size_t before;

	leases_want_address(w->l, NULL, w->now);
	leases_want_name(w->l, "ada", w->now);
	run(w, SEC(5), REG_OK);
	before = events_of(w, LEASE_RENEWED);
	leases_set_v6(w->l, &v6, w->now);
	run(w, SEC(5), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_RENEWED), before + 1);
	run(w, HOURS(1), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_RENEWED), before + 1);
	world_free(w);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_lease_address_and_name_are_claimed_and_tell_each_other),
		TEST(test_lease_same_key_asks_for_the_same_address_again),
		TEST(test_lease_taken_address_is_refused_by_name_and_another_is_found),
		TEST(test_lease_address_held_stays_when_the_asked_one_is_taken),
		TEST(test_lease_asked_address_replaces_the_held_one_once_gained),
		TEST(test_lease_network_dns_and_broadcast_addresses_are_never_taken),
		TEST(test_lease_last_free_address_of_a_small_subnet_is_found),
		TEST(test_lease_full_subnet_fails_and_is_tried_again_later),
		TEST(test_lease_taken_name_gets_a_number),
		TEST(test_lease_all_nine_names_taken_fails),
		TEST(test_lease_strange_host_names_are_made_usable),
		TEST(test_lease_is_renewed_from_half_life),
		TEST(test_lease_ends_when_keepers_stay_away_and_comes_back_after),
		TEST(test_lease_counts_from_first_sending_not_from_the_answer),
		TEST(test_lease_is_never_longer_than_granted),
		TEST(test_lease_nothing_is_asked_before_the_intent_is_durable),
		TEST(test_lease_lost_disk_answer_is_made_up_for),
		TEST(test_lease_late_answer_of_an_earlier_request_changes_nothing),
		TEST(test_lease_release_ends_use_before_anything_is_sent),
		TEST(test_lease_release_goes_on_after_a_crash),
		TEST(test_lease_runs_on_after_a_restart_of_the_process),
		TEST(test_lease_that_ended_while_the_process_was_away_is_not_used),
		TEST(test_lease_after_a_reboot_is_used_only_after_a_renewal),
		TEST(test_lease_given_to_another_while_away_is_refused_and_replaced),
		TEST(test_lease_taken_away_while_held_is_gone_at_once),
		TEST(test_lease_of_a_revoked_member_stops),
		TEST(test_lease_crash_at_every_write_never_uses_without_ownership),
		TEST(test_lease_damaged_records_are_refused),
		TEST(test_lease_grant_for_another_is_not_believed),
		TEST(test_lease_changed_v6_is_told_at_once),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
