/* fence.c - bounded at FENCE_MAX addresses; the one confirmed longest ago is forgotten first. Only
 * verified bindings come here, so a peer fills it no faster than keepers grant addresses. */
#include "vnet/fence.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/mutant.h"

struct seen {
	struct ip ip;
	bool conflict;
	struct pubkey owner;
	uint64_t generation;
	struct list age;
};

void fence_init(struct fence *f, const uint8_t seed[16])
{
	map_init(&f->by_ip, offsetof(struct seen, ip), sizeof(struct ip), FENCE_MAX, seed);
	list_init(&f->age);
}

void fence_fini(struct fence *f)
{
	struct list *l;

	while ((l = list_take(&f->age)))
		free(container_of(l, struct seen, age));
	map_fini(&f->by_ip);
}

static struct seen *entry_new(struct fence *f, const struct ip *ip)
{
	struct seen *s;

	if (f->by_ip.count >= f->by_ip.max) {
		s = container_of(list_take(&f->age), struct seen, age);
		map_take(&f->by_ip, &s->ip);
		free(s);
	}
	s = mem_new(sizeof(*s));
	s->ip = *ip;
	list_add_tail(&f->age, &s->age);
	map_put(&f->by_ip, s);
	return s;
}

enum fence_word fence_judge(struct fence *f, const struct ip *ip, const struct pubkey *owner,
			    uint64_t generation)
{
	struct seen *s = map_get(&f->by_ip, ip);

	if (s && generation < s->generation)
		return MUTANT(OLD_GRANT) ? FENCE_PASS : FENCE_OLD;
	if (s && generation == s->generation) {
		s->conflict |= !key_equal(&s->owner, owner);
		if (s->conflict)
			return FENCE_CONFLICT;
	} else {
		s = s ? s : entry_new(f, ip);
		s->conflict = false;
		s->generation = generation;
		s->owner = *owner;
	}
	list_del(&s->age);
	list_add_tail(&f->age, &s->age);
	return FENCE_PASS;
}
