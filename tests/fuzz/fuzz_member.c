/* fuzz_member.c - MEMBER messages, docs/protocol.md 9. What is read must write the same bytes; then
 * the message, with the right namespace and request put in, goes to a keeper, to a member as if
 * from its keeper, and to a joiner that waits. Whatever it says, the member keeps its membership
 * and nobody takes a settings number or a revocation that was not signed. */
#include <assert.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/regs_people.h"

#define REQUEST_AT (1 + NSID_LEN)

static struct rw_world *world;
static uint8_t request[8]; /* of the joiner's ENROL */

static bool watch(struct rw_world *w, struct rw_message *m)
{
	(void)w;
	if (m->from != 2 || m->service != REGS_SERVICE_MEMBER || m->b[0] != MEMBERMSG_ENROL)
		return true;
	memcpy(request, m->b + REQUEST_AT, sizeof(request));
	return false; /* the answer is the fuzzer's */
}

static void clear(void)
{
	for (size_t i = 0; i < world->flight_count; i++)
		free(world->flight[i].b);
	world->flight_count = 0;
	for (size_t i = 0; i < world->count; i++)
		world->node[i].event_count = 0;
}

static void wait_for_enrol(void)
{
	uint8_t seed[SEED_LEN];

	rw_token_seed(seed, 1);
	if (regs_enrol(world->node[2].regs, 77, seed, "joiner", world->now) == 0)
		rw_run(world, MSEC(100));
	clear();
}

static void set_up(void)
{
	struct rw_node *n;

	world = rw_new(1);
	assert(rw_create(world));
	assert(rw_token(world, 1, 9, 3600) == REG_OK);
	rw_join(world, 1, "ada");
	n = rw_add(world);
	rw_trust(n);
	world->hook = watch;
}

static void give(size_t to, size_t from, uint8_t *b, size_t len)
{
	regs_input(world->node[to].regs, &world->node[from].key.pub, true, REGS_SERVICE_MEMBER, b,
		   len, world->now);
}

static void again(const uint8_t *data, size_t len)
{
	static uint8_t out[MEMBERMSG_MAX];
	struct membermsg m;

	if (!membermsg_read(&m, data, len))
		return;
	assert(membermsg_write(out, sizeof(out), &m) == len);
	assert(memcmp(out, data, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *grant;
	uint8_t *b;

	if (!world)
		set_up();
	again(data, len);
	wait_for_enrol();
	b = mem_new(len + 1);
	memcpy(b, data, len);
	if (len >= REQUEST_AT)
		nsid_of(b + 1, &world->root.pub);
	give(0, 1, b, len);
	give(1, 0, b, len);
	if (len >= REQUEST_AT + sizeof(request))
		memcpy(b + REQUEST_AT, request, sizeof(request));
	give(2, 0, b, len);
	free(b);
	assert(regs_membership(world->node[1].regs, &grant) > 0);
	assert(regs_settings(world->node[1].regs)->number == 1);
	/* The corpus has one true list: it was made by the world of this very seed. */
	assert(regs_revocation_number(world->node[1].regs) <= 1);
	assert(regs_revocation_number(world->node[2].regs) <= 1);
	clear();
	return 0;
}
