/* fuzz_register.c - REGISTER messages at whole nodes, docs/protocol.md 8: a keeper hears them from a
 * member, a member from its keeper, bundles and transfers included. The namespace is put in, also into
 * the parts of a bundle. Nothing that is not signed changes who owns what. */
#include <assert.h>

#include "dht/handover.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/regs_people.h"

static struct rw_world *world;
static struct grant held; /* the member's address */

static void clear(void)
{
	for (size_t i = 0; i < world->flight_count; i++)
		free(world->flight[i].b);
	world->flight_count = 0;
	for (size_t i = 0; i < world->count; i++)
		world->node[i].event_count = world->node[i].lease_event_count = 0;
}

static void set_up(void)
{
	struct reg_op req = { .verb = OP_CLAIM, .lease = 3600 };
	struct rw_node *n;
	struct ip ip;

	world = rw_new(1);
	assert(rw_create(world));
	assert(rw_token(world, 1, 9, 3600) == REG_OK);
	n = rw_join(world, 1, "ada");
	assert(ip_parse(&ip, "10.7.1.1"));
	req.name = reg_name_address(&ip);
	assert(rw_do(n, &req, NULL, &held) == REG_OK);
	clear();
}

static void name_space(uint8_t *b, size_t len)
{
	struct rd r = rd_of(b, len);
	uint8_t *p;
	size_t parts, n;

	if (len > NSID_LEN)
		nsid_of(b + 1, &world->root.pub);
	if (rd_u8(&r) != REGMSG_BUNDLE || !rd_bytes(&r, NSID_LEN + 8))
		return;
	parts = rd_u8(&r);
	for (size_t i = 0; i < parts && rd_left(&r) > 2; i++) {
		n = rd_u16(&r);
		n = n < rd_left(&r) ? n : rd_left(&r);
		p = b + (len - rd_left(&r));
		if (n > NSID_LEN)
			nsid_of(p + 1, &world->root.pub);
		rd_bytes(&r, n);
	}
}

static void give(size_t to, size_t from, const uint8_t *b, size_t len)
{
	regs_input(world->node[to].regs, &world->node[from].key.pub, true, REGS_SERVICE_REGISTER, b,
		   len, world->now);
}

/* What was told to the leases goes to them. */
static void hand_over(struct rw_node *n)
{
	for (size_t i = 0; i < n->event_count; i++) {
		n->events[i].e.grant = n->events[i].grant;
		if (n->events[i].e.type == REGS_HANDOVER || n->events[i].e.type == REGS_STRAY)
			rw_to_leases(n, &n->events[i].e);
	}
}

static void check(void)
{
	struct reg_name name;
	struct reg_value v;
	size_t at = 0, seen = 0;

	while (regs_next(world->node[0].regs, &at, &name, &v))
		if (reg_name_equal(&name, &held.name)) {
			seen++;
			assert(v.generation == held.generation && key_equal(&v.owner, &held.owner));
		}
	assert(seen == 1);
	assert(regs_is_keeper(world->node[0].regs));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *b;

	if (!world)
		set_up();
	b = mem_new(len + 1);
	memcpy(b, data, len);
	name_space(b, len);
	give(0, 1, b, len);
	give(1, 0, b, len);
	free(b);
	hand_over(&world->node[0]);
	hand_over(&world->node[1]);
	world->now += MSEC(100);
	for (size_t i = 0; i < world->count; i++)
		regs_tick(world->node[i].regs, world->now);
	while (rw_disk_answers(&world->node[0]) || rw_disk_answers(&world->node[1]))
		;
	check();
	clear();
	return 0;
}
