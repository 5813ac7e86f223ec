/* The allocator of base/mem.h is replaced here by one that counts. */
#include <malloc.h>

#include "tests/check.h"
#include "tests/unit/dht_net.h"

#define IDLE_MAX (16 * 1024)

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

static void test_dht_idle_instance_is_small(void)
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
	CHECK(asked_for - before <= IDLE_MAX);
	CHECK(dht_deadline(n->node[1].dht) == USEC_NEVER);
	printf("# idle: %zu bytes\n", asked_for - before);
	net_free(n);
}

static const struct test tests[] = {
	TEST(test_dht_idle_instance_is_small),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
