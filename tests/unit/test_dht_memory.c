/* The allocator of base/mem.h is replaced here by one that counts. */
#include <malloc.h>

#include "tests/check.h"
#include "tests/unit/dht_net.h"

#define FRESH_MAX (3 * 1024)
#define IDLE_MAX (12 * 1024)

static size_t asked_for;

void *mem_new(size_t size)
{
	asked_for += size;
	return calloc(1, size ? size : 1);
}

void *mem_resize(void *p, size_t size)
{
	asked_for += size; /* the old block is not subtracted: an upper bound */
	return realloc(p, size ? size : 1);
}

void *mem_copy(const void *p, size_t size)
{
	void *copy = mem_new(size);

	if (size)
		memcpy(copy, p, size);
	return copy;
}

char *mem_text(const char *s) { return mem_copy(s, strlen(s) + 1); }

static void test_dht_fresh_instance_is_small(void)
{
	struct net *n = net_new(1, 1);
	size_t before = asked_for;

	n->count = 2;
	n->node[1].net = n;
	timer_init(&n->node[1].wake, net_wake);
	n->node[1].self = n->node[0].self;
	n->node[1].self.pub.b[0] ^= 1;
	net_start(n, 1);
	CHECK(asked_for > before);
	CHECK(asked_for - before <= FRESH_MAX);
	CHECK(dht_deadline(n->node[1].dht) == USEC_NEVER);
	printf("# idle: %zu bytes\n", asked_for - before);
	net_free(n);
}

/* As many contacts as a node among ten thousand has, and what it publishes itself. */
static void test_dht_instance_with_a_hundred_contacts_and_four_records_is_small(void)
{
	struct net *n = net_new(1, 2);
	size_t before = asked_for, bytes;

	for (size_t i = 0; i < 100; i++) {
		struct pubkey k;

		net_fill(n, &k, sizeof(k));
		dht_contact_up(n->node[0].dht, &k, n->now);
	}
	for (int i = 0; i < 4; i++)
		net_publish(n, 0, (const char *[]){ "a", "b", "c", "d" }[i], "about so much");
	bytes = dht_info(n->node[0].dht).bytes;
	printf("# %zu bytes, %zu contacts; asked for %zu in all\n", bytes,
	       dht_info(n->node[0].dht).contacts, asked_for - before);
	CHECK(bytes <= IDLE_MAX);
	CHECK(dht_info(n->node[0].dht).contacts > 40);
	net_free(n);
}

static const struct test tests[] = {
	TEST(test_dht_instance_with_a_hundred_contacts_and_four_records_is_small),
	TEST(test_dht_fresh_instance_is_small),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
