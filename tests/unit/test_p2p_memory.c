/* test_p2p_memory.c - what an idle session costs, so that it cannot creep back.
 *
 * Every node of a small net has a session with every other; what the heap then holds more than
 * before, without the ring's part (which has its own bound), is divided by the sessions. Linked
 * with p2p/aead_sodium.c, as vpnsim is: libcrypto's contexts are as large as they are. */
#include <malloc.h>

#define NET_AES false /* as simulated nodes */
#include "tests/unit/p2p_net.h"

#define LINKS 20
#define COUNT (LINKS + 1)
#define SESSION_BYTES 816 /* everything included */
#define P2P_BYTES 1728	   /* struct p2p and its empty tables */

/* The linker leads every allocation of ours through these (--wrap, see Makefile.in); libraries keep
 * their own. A block counts as large as malloc made it, and its header. */
#define HEADER 8

static size_t in_use;

void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);

static size_t size_of(void *p)
{
	return p ? malloc_usable_size(p) + HEADER : 0;
}

void *__wrap_calloc(size_t count, size_t size)
{
	void *p = __real_calloc(count, size);

	in_use += size_of(p);
	return p;
}

void *__wrap_realloc(void *p, size_t size)
{
	size_t old = size_of(p);

	p = __real_realloc(p, size);
	in_use += size_of(p) - old;
	return p;
}

void __wrap_free(void *p)
{
	in_use -= size_of(p);
	__real_free(p);
}

static size_t ring_bytes(const struct net *n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n->count; i++)
		sum += ring_info(n->nodes[i].p->ring).bytes;
	return sum;
}

/* Of what the net itself has allocated, all but the nodes. */
static size_t queue_bytes(const struct net *n)
{
	size_t sum = size_of(n->queue);

	for (size_t i = 0; i < n->queued; i++)
		sum += size_of(n->queue[i].bytes);
	return sum;
}

static void connect_all(struct net *n)
{
	for (size_t i = 1; i < n->count; i++)
		net_boot(n, (int)i, 0);
	net_run(n, SEC(10));
	for (size_t i = 0; i < n->count; i++)
		for (size_t j = 0; j < n->count; j++)
			if (i != j)
				CHECK_EQ_INT(p2p_connect(n->nodes[i].p, &n->nodes[j].key.pub,
							 n->now), 0);
	net_run(n, MINUTES(4)); /* keys of crossing handshakes are gone, too */
	for (size_t i = 0; i < n->count; i++)
		CHECK_EQ_INT(n->nodes[i].p->view.slots.count, LINKS);
}

static void test_idle_session_costs_at_most_816_bytes(void)
{
	struct net *n = net_new(COUNT);
	size_t before = in_use - ring_bytes(n), each;

	connect_all(n);
	each = (in_use - ring_bytes(n) - queue_bytes(n) - before) / (COUNT * LINKS);
	printf("# %zu bytes a session\n", each);
	CHECK(each > sizeof(struct session)); /* or else nothing was measured */
	CHECK(each <= SESSION_BYTES);
	net_free(n);
}

static void test_everything_is_given_back_when_the_net_ends(void)
{
	size_t before = in_use;
	struct net *n = net_new(COUNT);

	connect_all(n);
	net_free(n);
	CHECK_EQ_INT(in_use, before);
}

static void test_p2p_object_without_sessions_costs_at_most_1728_bytes(void)
{
	size_t before = in_use, each;
	struct net *n = net_new(COUNT);

	each = (in_use - before - size_of(n) - size_of(n->nodes) - ring_bytes(n)) / COUNT;
	printf("# %zu bytes a struct p2p\n", each);
	CHECK(each <= P2P_BYTES);
	net_free(n);
}

static const struct test tests[] = {
	TEST(test_p2p_object_without_sessions_costs_at_most_1728_bytes),
	TEST(test_idle_session_costs_at_most_816_bytes),
	TEST(test_everything_is_given_back_when_the_net_ends),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
